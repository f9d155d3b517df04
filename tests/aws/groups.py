"""Auto Scaling groups as the template makes them."""

import boto3


def make_group(name: str, most: int, *, desired: int = 0) -> None:
    client = boto3.client("autoscaling")
    client.create_launch_configuration(
        LaunchConfigurationName=f"{name}-launch", ImageId="ami-12c6146b", InstanceType="t3.medium"
    )
    client.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchConfigurationName=f"{name}-launch",
        MinSize=0,
        MaxSize=most,
        DesiredCapacity=desired,
        AvailabilityZones=["us-east-1a"],
    )
    client.close()


def instances(name: str) -> dict[str, bool]:
    """The group's instances by id, and whether each is protected from scale-in."""
    client = boto3.client("autoscaling")
    (group,) = client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    client.close()
    return {one["InstanceId"]: one["ProtectedFromScaleIn"] for one in group["Instances"]}
