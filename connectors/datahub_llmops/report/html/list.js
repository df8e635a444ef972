// The list of assets: search, filters, and rows as far as they are asked for.

const ROWS = 50;
const FILTERS = [
  ["type", "Type", (asset) => [asset.kind]],
  ["platform", "Platform", (asset) => (asset.platform ? [asset.platform] : [])],
  ["owner", "Owner", (asset) => asset.owners],
  ["term", "Term or tag", (asset) => asset.marks],
  ["verdict", "Verdict", (asset) => [asset.verdict]],
];
const NONE = "(none)";

for (const asset of ASSETS) {
  asset.low = asset.name.toLowerCase();
  asset.text = [asset.name, asset.urn, asset.kind, asset.platform, ...asset.path, ...asset.owners, ...asset.marks]
    .join("\n")
    .toLowerCase();
}
const LOW_WORDS = WORDS.map((word) => word.toLowerCase());

function valuesOf(asset, read) {
  const found = read(asset);
  return found.length ? found : [NONE];
}

// The assets that match, best first: [asset, the field that matched if nothing else did].
function findAssets(query, chosen) {
  const parts = query.toLowerCase().split(/\s+/).filter(Boolean);
  const filters = FILTERS.filter(([key]) => chosen[key]);
  const inColumns = parts.map((part) => new Set(LOW_WORDS.flatMap((word, number) => (word.includes(part) ? [number] : []))));
  const found = [];
  for (const asset of ASSETS) {
    if (filters.some(([key, , read]) => !valuesOf(asset, read).includes(chosen[key]))) continue;
    let score = 0;
    let field = null;
    for (let i = 0; i < parts.length && score >= 0; i++) {
      if (asset.low.includes(parts[i])) score += asset.low === parts[i] ? 8 : asset.low.startsWith(parts[i]) ? 6 : 4;
      else if (asset.text.includes(parts[i])) score += 2;
      else {
        const column = asset.columns.find((word) => inColumns[i].has(word));
        if (column === undefined) score = -1;
        else field = WORDS[column];
      }
    }
    if (score >= 0) found.push([asset, field, score]);
  }
  return parts.length ? found.sort((a, b) => b[2] - a[2] || a[0].place - b[0].place) : found;
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

const verdictMark = (verdict) =>
  make("b", { class: "v " + { ok: "ok", "not ok": "bad", "not known": "open" }[verdict] }, verdict);
const labelMark = (word) =>
  word.startsWith("#") ? make("mark", { class: "tag" }, word.slice(1)) : make("mark", {}, word);
const spaced = (elements) => elements.flatMap((element) => [element, " "]);

function row([asset, field]) {
  const small = [asset.path.join(" / "), asset.version && "version " + asset.version, field && "field " + field];
  return make(
    "tr",
    {},
    make(
      "td",
      {},
      make("a", { href: routeOf(asset) }, asset.name || asset.urn),
      make("small", {}, small.filter(Boolean).join(" · ")),
    ),
    make("td", {}, make("span", { class: "kind k-" + familyOf(asset), "aria-hidden": "true" }), asset.kind),
    make("td", {}, asset.platform),
    make("td", {}, asset.owners.join(", ")),
    make("td", {}, ...spaced(asset.marks.map(labelMark))),
    make("td", { "data-title": "Verdict" }, asset.checked ? verdictMark(asset.verdict) : make("i", {}, asset.verdict), asset.deprecated ? make("em", {}, " deprecated") : ""),
  );
}

function listView(chosen) {
  const count = make("p", { class: "count", role: "status" });
  const body = make("tbody");
  const more = make("button", { class: "more", onclick: () => show(shown + ROWS) });
  const table = make(
    "table",
    {},
    make("thead", {}, make("tr", {}, ...["Asset", "Type", "Platform", "Owners", "Terms and tags", "Verdict"].map((word) => make("th", { scope: "col" }, word)))),
    body,
  );
  let found = [];
  let shown = 0;
  // Rows that stay where they are cost nothing: most letters of a word change few of them.
  const rows = new Map();
  const rowOf = ([asset, field]) => {
    const key = asset.place + " " + (field || "");
    if (!rows.has(key)) rows.set(key, row([asset, field]));
    return rows.get(key);
  };
  const show = (most) => {
    shown = Math.min(most, found.length);
    let next = body.firstChild;
    for (const element of found.slice(0, shown).map(rowOf))
      if (element === next) next = next.nextSibling;
      else body.insertBefore(element, next);
    while (next) {
      const after = next.nextSibling;
      next.remove();
      next = after;
    }
    more.hidden = shown >= found.length;
    more.textContent = `Show ${Math.min(ROWS, found.length - shown)} more of ${found.length - shown}`;
  };
  const search = () => {
    found = findAssets(chosen.q || "", chosen);
    show(ROWS);
    table.hidden = !found.length;
    count.textContent = found.length
      ? `${found.length.toLocaleString("en")} of ${ASSETS.length.toLocaleString("en")} assets`
      : "No asset matches. Change the search or the filters.";
  };
  const change = (key, value) => {
    if (value) chosen[key] = value;
    else delete chosen[key];
    const hash = "#/" + (Object.keys(chosen).length ? "?" + new URLSearchParams(chosen) : "");
    history.replaceState(null, "", hash);
    search();
  };
  const finder = make(
    "form",
    { class: "finder", role: "search", onsubmit: (event) => event.preventDefault() },
    make(
      "label",
      { class: "q" },
      "Search",
      make("input", {
        type: "search", id: "q", value: chosen.q || "", autocomplete: "off", spellcheck: "false",
        placeholder: "Name, field, owner, term …  ( / )", oninput: (event) => change("q", event.target.value.trim()),
      }),
    ),
    ...FILTERS.map((filter) => filterSelect(filter, chosen, change)).filter(Boolean),
  );
  search();
  addEventListener("beforeprint", () => show(found.length), { once: true });
  return [finder, count, make("div", { class: "list" }, table), more];
}

function filterSelect([key, title, read], chosen, change) {
  const counts = new Map();
  for (const asset of ASSETS) for (const value of valuesOf(asset, read)) counts.set(value, (counts.get(value) || 0) + 1);
  if (counts.size < 2 && !chosen[key]) return null;
  const values = [...counts.keys()].sort((a, b) => (a === NONE) - (b === NONE) || (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
  const select = make(
    "select",
    { onchange: () => change(key, select.value) },
    make("option", { value: "" }, "any"),
    ...values.map((value) => make("option", { value }, `${value} (${counts.get(value)})`)),
  );
  select.value = chosen[key] || "";
  return make("label", {}, title, select);
}
