// The table of runs: searched, sorted and turned page by page, so that thousands stay quick.

function startRuns() {
  const PAGE = 50, {columns, rows, left_out: leftOut} = data.table;
  const texts = rows.map((row) => row.join(" ").toLowerCase());
  const table = byId("run-table");
  let chosen = rows.map((_, at) => at), page = 0, sorted = {column: -1, down: false};

  const cell = (kind, text) => {
    const element = document.createElement(kind);
    element.textContent = text === null ? "–" : String(text);
    return element;
  };
  const compared = (a, b) => typeof a === "number" && typeof b === "number" ? a - b
    : a === null || b === null ? (a === null) - (b === null)
    : String(a).localeCompare(String(b), "en", {numeric: true});

  function show() {
    const pages = Math.max(1, Math.ceil(chosen.length / PAGE));
    page = Math.max(0, Math.min(page, pages - 1));
    const lines = chosen.slice(page * PAGE, (page + 1) * PAGE).map((at) => {
      const line = document.createElement("tr");
      line.append(...rows[at].map((value) => cell("td", value)));
      return line;
    });
    table.tBodies[0].replaceChildren(...lines);
    const more = leftOut ? `; ${leftOut.toLocaleString("en")} more are not in this page` : "";
    byId("found").textContent = `${chosen.length.toLocaleString("en")} of `
      + `${rows.length.toLocaleString("en")} runs, page ${page + 1} of ${pages}${more}`;
    byId("previous").disabled = page === 0;
    byId("next").disabled = page === pages - 1;
    table.dataset.found = chosen.length;
  }

  function sort() {
    const {column, down} = sorted;
    chosen.sort((a, b) => column < 0 ? a - b
      : compared(rows[a][column], rows[b][column]) * (down ? -1 : 1) || a - b);
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      head.ariaSort = at === column ? (down ? "descending" : "ascending") : null;
    });
    show();
  }

  function search() {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    chosen = rows.map((_, at) => at).filter((at) => words.every((w) => texts[at].includes(w)));
    page = 0;
    sort();
  }

  const heads = document.createElement("tr");
  columns.forEach((name, at) => {
    const head = document.createElement("th"), button = document.createElement("button");
    head.scope = "col";
    button.type = "button";
    button.append(...name.split(/(?<=_)/).flatMap((part) => [part, document.createElement("wbr")]));
    button.addEventListener("click", () => {
      sorted = {column: at, down: sorted.column === at && !sorted.down};
      sort();
    });
    head.append(button);
    heads.append(head);
  });
  table.tHead.append(heads);
  byId("search").addEventListener("input", search);
  byId("previous").addEventListener("click", () => { page--; show(); });
  byId("next").addEventListener("click", () => { page++; show(); });
  show();
}

startRuns();
