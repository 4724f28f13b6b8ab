"use strict";
// A click on a heading sorts its table: numbers by value, words by letter, a second click the other
// way round; what is not a number comes last.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  const key = (row, column) => {
    const text = row.cells[column].textContent;
    const value = parseFloat(text.replaceAll("−", "-"));
    return column === 0 ? text : Number.isNaN(value) ? null : value;
  };
  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
  headings.forEach((heading, column) => {
    heading.firstElementChild.addEventListener("click", () => {
      const sign = heading.ariaSort === "ascending" ? -1 : 1;
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows].map((row) => [key(row, column), row]);
      rows.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b)));
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
  });
}
