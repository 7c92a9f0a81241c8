// Before the first paint, so that nobody who chose dark sees a white flash. The choice is made in src/lib/theme.ts.
(() => {
  try {
    const theme = localStorage.getItem('cc.theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
    const language = localStorage.getItem('cc.language') || navigator.language;
    document.documentElement.lang = language.startsWith('de') ? 'de' : 'en';
  } catch {
    // No storage: the system's choice holds.
  }
})();
