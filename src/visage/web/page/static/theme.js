// Before the first paint, so that no page flashes in the other theme. Not a module: those wait for the document.
(() => {
  try {
    const theme = localStorage.getItem("visage-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be switched off; then the system's theme it is.
  }
})();
