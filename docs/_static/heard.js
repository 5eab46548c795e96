// What the theme leaves without a name or a place for those who hear the pages, or go through them by keys.
document.addEventListener("DOMContentLoaded", () => {
  const each = (what, change) => document.querySelectorAll(what).forEach(change);
  each(".caption[role=heading]", (one) => one.setAttribute("aria-level", "2"));
  each("aside.sidebar-drawer", (one) => one.setAttribute("aria-label", "all pages"));
  each("aside.toc-drawer", (one) => one.setAttribute("aria-label", "on this page"));
  each(".content-icon-container", (one) => {
    one.setAttribute("role", "region");
    one.setAttribute("aria-label", "about this page");
  });
  each("pre, .table-wrapper, .output", (one) => one.setAttribute("tabindex", "0")); // they may scroll sideways
  each("th", (one) => {
    if (one.textContent.trim()) return;
    const cell = document.createElement("td");
    cell.className = one.className;
    one.replaceWith(cell);
  });
  if (!document.querySelector("h1")) {
    const heading = document.createElement("h1");
    heading.textContent = document.title;
    document.querySelector("[role=main], main, article")?.prepend(heading);
  }
});
