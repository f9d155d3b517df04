"""What is asked of Amazon Web Services, through boto3."""
