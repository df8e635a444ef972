// The pages of the report, by the part of the address after #: a list, an asset, the whole lineage, prompts, answers.

const MAIN = document.getElementById("main");
const TITLE = document.title;
let graph = null;
let current = null;

// A URN in an address stays one that a person can read.
const inAddress = (text) => encodeURIComponent(text).replace(/%(3A|2C|20)/g, (code) => ({ "%3A": ":", "%2C": ",", "%20": "+" })[code]).replace(/\+/g, "%20");
const routeOf = (asset, field = null) => `#/asset/${inAddress(asset.urn)}${field === null ? "" : "?" + new URLSearchParams({ field })}`;

// The written page with this number. Its text is escaped by the template that wrote it. Headings become boxes; those
// before the rule stand at the side.
function writtenPage(number) {
  const template = document.createElement("template");
  template.innerHTML = "<details>" + PAGES[number];
  const [summary, ...parts] = template.content.firstChild.children;
  for (const cell of template.content.querySelectorAll("td[rowspan]")) repeatInRows(cell);
  for (const table of template.content.querySelectorAll("table:not(.fields)")) titleCells(table);
  for (const link of template.content.querySelectorAll('a[href^="#"]')) link.href = longRoute(link.hash);
  const [name, kind, verdict] = [summary.firstChild, summary.querySelector("small"), summary.querySelector(".v")];
  const header = make("header", {}, make("h1", {}, name.data.trim()), make("p", { class: "sub" }, ...kind.childNodes, " ", verdict));
  const side = make("div", { class: "side" });
  const body = make("div", { class: "body" });
  const hasSide = parts.some((part) => part.tagName === "HR");
  let box = header;
  let boxes = hasSide ? side : body;
  for (const part of parts) {
    if (part.tagName === "HR") boxes = body;
    else if (part.tagName === "H2" || part.id) boxes.append((box = make("section", {}, part.id && part.tagName !== "H2" ? make("h2", {}, "Facts") : "", part)));
    else box.append(part);
  }
  for (const head of template.content.querySelectorAll("[id]")) head.removeAttribute("id");
  return make("article", { class: "pages" }, header, hasSide ? side : null, body.children.length ? body : null);
}

// The type of fields that follow each other is written once. On a phone each field is a block, and says its own.
function repeatInRows(cell) {
  const rows = cell.rowSpan;
  cell.removeAttribute("rowspan");
  for (let i = 1, row = cell.parentNode.nextSibling; i < rows; i++, row = row.nextSibling) row.firstChild.after(cell.cloneNode(true));
}

// A phone shows no row of titles: each cell has its own.
function titleCells({ rows: [titles, ...rows] }) {
  for (const row of rows) [...row.cells].forEach((cell, i) => (cell.dataset.title = titles.cells[i].textContent));
}

// The address of a page that the file's own links name by its number.
function longRoute(hash) {
  const [, kind, number] = hash.match(/^#([pr]?)(\d+)$/);
  if (kind === "p" && DATA.prompts[number]) return "#/prompt/" + inAddress(DATA.prompts[number]);
  if (kind === "r" && DATA.answers[number]) return "#/answer/" + inAddress(DATA.answers[number][0]);
  return !kind && ASSETS[number] ? routeOf(ASSETS[number]) : "#/";
}

function assetPage(asset) {
  const article = writtenPage(asset.place);
  if (asset.up.length || asset.down.length) {
    graph = new Graph(asset.place, goToColumn);
    article.querySelector("header").after(graph.element);
  } else article.querySelector("header").after(make("section", { class: "graph" }, make("p", { class: "empty" }, "No lineage of this asset is in the report.")));
  showColumns(asset, article.querySelector(".fields"));
  return [article];
}

// A click on a field shows its path. The table has fields that have nothing but a type in common in one line.
function showColumns(asset, table) {
  let at = 0;
  for (const cell of table ? table.querySelectorAll("td:first-child") : []) {
    const lines = [[]];
    for (const node of cell.childNodes) node.nodeName === "BR" ? lines.push([]) : lines[lines.length - 1].push(node);
    for (const [name] of lines) {
      const word = asset.columns[at++];
      if (!name || !asset.named.has(word)) continue;
      const show = () => {
        goToColumn({ asset: asset.place, word });
        graph.element.scrollIntoView({ block: "nearest" });
      };
      name.replaceWith(make("button", { class: "path", title: "Show its path in the graph", onclick: show }, name.data));
    }
  }
}

function lineagePage() {
  const alone = ASSETS.filter((asset) => !asset.up.length && !asset.down.length).length;
  const lead = make("p", { class: "lead" }, alone ? `${plural(alone, "asset")} without lineage ${alone === 1 ? "is" : "are"} in the list only.` : "");
  if (!EDGES.length) return [make("h1", {}, "Lineage"), make("p", { class: "lead" }, "No edge is in this report.")];
  graph = new Graph(null, goToColumn);
  return [make("h1", {}, "Lineage of everything"), lead, graph.element];
}

function homePage(chosen) {
  return ASSETS.length ? [...aboutPage(), ...listView(chosen)] : aboutPage();
}

// Which part of the catalog this is, and what is left out. A report of one asset opens with the asset, so it says so here.
const aboutPage = () => [document.getElementById("about").content.cloneNode(true)];

const linkList = (title, links) => [
  make("h1", {}, title),
  make("section", {}, make("ul", {}, ...links.map(([href, text, small]) => make("li", {}, make("a", { href }, text), " ", make("i", {}, small))))),
];

const promptsPage = () => linkList("Prompts", DATA.prompts.map((name) => ["#/prompt/" + inAddress(name), name, ""]));
const answersPage = () => linkList("Answers", DATA.answers.map(([id, application]) => ["#/answer/" + inAddress(id), id, application]));

function missingPage(what) {
  return [make("h1", {}, "Not in this report"), make("p", {}, what), make("p", {}, make("a", { href: "#/" }, "Show all assets"))];
}

function readAddress() {
  const hash = location.hash || (DATA.roots.length === 1 ? routeOf(ASSETS[DATA.roots[0]]) : "#/");
  const [path, query] = (/^#[pr]?\d+$/.test(hash) ? longRoute(hash) : hash).split("?");
  const [, kind, ...rest] = path.split("/");
  let name = rest.join("/");
  try {
    name = decodeURIComponent(name);
  } catch { /* Somebody typed a percent sign. */ }
  return { path, kind: kind || "", name, query: Object.fromEntries(new URLSearchParams(query || "")) };
}

function buildPage({ kind, name, query }) {
  if (kind === "") return [homePage(query), TITLE];
  if (kind === "about") return [aboutPage(), "About this report"];
  if (kind === "lineage") return [lineagePage(), "Lineage of everything"];
  if (kind === "asset") {
    const asset = ASSETS[PLACE_OF.get(name)];
    return asset ? [assetPage(asset), asset.name] : [missingPage(`This report has no asset ${name}`), "Not in this report"];
  }
  const first = ASSETS.length;
  const prompt = DATA.prompts.indexOf(name);
  const answer = DATA.answers.findIndex(([id]) => id === name);
  if (kind === "prompts") return [promptsPage(), "Prompts"];
  if (kind === "answers") return [answersPage(), "Answers"];
  if (kind === "prompt" && prompt >= 0) return [[writtenPage(first + prompt)], name];
  if (kind === "answer" && answer >= 0) return [[writtenPage(first + DATA.prompts.length + answer)], "Answer " + name];
  return [missingPage(`This report has no page ${location.hash}`), "Not in this report"];
}

function goToColumn(column) {
  const { path } = readAddress();
  if (!column) location.hash = path;
  else {
    const query = new URLSearchParams({ field: WORDS[column.word] });
    if (column.asset !== graph.root) query.set("of", ASSETS[column.asset].urn);
    location.hash = path + "?" + query;
  }
}

function showPath({ query, name }) {
  const asset = PLACE_OF.get(query.of || name);
  const word = query.field === undefined ? -1 : WORDS.indexOf(query.field);
  const path = asset === undefined || word < 0 ? null : pathOfColumn(asset, word);
  graph.show(path);
  for (const button of MAIN.querySelectorAll(".fields .path"))
    button.classList.toggle("lit", Boolean(path) && asset === graph.root && button.textContent === query.field);
}

function showPage() {
  if (location.hash === "#main") return;
  const address = readAddress();
  if (current === address.path && graph) return showPath(address);
  graph = null;
  const [content, title] = buildPage(address);
  MAIN.replaceChildren(...content);
  const first = current === null;
  current = address.path;
  document.title = title === TITLE ? TITLE : `${title} · ${TITLE}`;
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.getAttribute("href") === address.path || (link.hash === "#/" && address.kind === "");
    here ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
  if (graph) showPath(address);
  if (!first) {
    scrollTo(0, 0);
    MAIN.focus({ preventScroll: true });
  }
}

document.querySelector("nav").append(
  ...[["#/", "Assets", true], ["#/lineage", "Lineage", EDGES.length], ["#/prompts", "Prompts", DATA.prompts.length], ["#/answers", "Answers", DATA.answers.length], ["#/about", "Left out", document.getElementById("about").content.querySelector("li")]]
    .filter(([, , shown]) => shown)
    .map(([href, word]) => make("a", { href }, word)),
);
addEventListener("hashchange", showPage);
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input,select,textarea")) return;
  const search = document.getElementById("q");
  if (search) {
    event.preventDefault();
    search.focus();
  }
});
matchMedia("print").addEventListener("change", () => graph && graph.fit(matchMedia("print").matches ? 680 : undefined));
showPage();
