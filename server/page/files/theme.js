// The chosen theme, before the first paint. A classic script, since modules wait.
"use strict";
try {
  const theme = localStorage.getItem("groupcast.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // No storage, no choice kept.
}
