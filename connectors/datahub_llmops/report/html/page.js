// The pages of the report, by the part of the address after #: a list, an asset, the whole lineage, prompts, answers.

const MAIN = document.getElementById("main");
const PAGES = document.getElementsByTagName("noscript");
const TITLE = document.title;
// The first one holds what only stands there without JavaScript.
const FIRST_PAGE = 1;
let graph = null;
let current = null;

// A URN in an address stays one that a person can read.
const inAddress = (text) => encodeURIComponent(text).replace(/%(3A|2C|20)/g, (code) => ({ "%3A": ":", "%2C": ",", "%20": "+" })[code]).replace(/\+/g, "%20");
const routeOf = (asset, field = null) => `#/asset/${inAddress(asset.urn)}${field === null ? "" : "?" + new URLSearchParams({ field })}`;

// The written page with this number, as elements. Its text is escaped by the template that wrote it.
function writtenPage(number) {
  const template = document.createElement("template");
  template.innerHTML = PAGES[FIRST_PAGE + number].textContent;
  const article = template.content.querySelector("article");
  article.removeAttribute("id");
  for (const link of article.querySelectorAll('a[href^="#"]')) link.href = longRoute(link.hash);
  return article;
}

// The address of a page that the file's own links name by its number.
function longRoute(hash) {
  const number = Number(hash.slice(2));
  if (hash[1] === "a") return ASSETS[number] ? routeOf(ASSETS[number]) : "#/";
  return hash[1] === "p" ? "#/prompt/" + inAddress(DATA.prompts[number]) : "#/answer/" + inAddress(DATA.answers[number][0]);
}

function assetPage(asset) {
  const article = writtenPage(asset.place);
  article.className = "pages";
  if (asset.up.length || asset.down.length) {
    graph = new Graph(asset.place, goToColumn);
    article.querySelector("header").after(graph.element);
  } else article.querySelector("header").after(make("section", { class: "graph" }, make("p", { class: "empty" }, "No lineage of this asset is in the report.")));
  if (!article.querySelector(".body").children.length) article.querySelector(".body").remove();
  const names = article.querySelectorAll(".fields td:first-child");
  asset.columns.forEach((word, at) => {
    if (!asset.named.has(word)) return;
    const name = names[at];
    name.replaceChildren(make("button", { class: "path", title: "Show its path in the graph", onclick: () => { goToColumn({ asset: asset.place, word }); graph.element.scrollIntoView({ block: "nearest" }); } }, ...name.childNodes));
  });
  return [article];
}

function lineagePage() {
  const alone = ASSETS.filter((asset) => !asset.up.length && !asset.down.length).length;
  const lead = make("p", { class: "lead" }, alone ? `${plural(alone, "asset")} without lineage ${alone === 1 ? "is" : "are"} in the list only.` : "");
  if (!EDGES.length) return [make("h1", {}, "Lineage"), make("p", { class: "lead" }, "No edge is in this report.")];
  graph = new Graph(null, goToColumn);
  return [make("h1", {}, "Lineage of everything"), lead, graph.element];
}

function homePage(chosen) {
  const about = document.getElementById("about").content.cloneNode(true);
  if (!ASSETS.length) return [about];
  return [about, ...listView(chosen)];
}

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
  const [path, query] = (/^#[apr]\d+$/.test(hash) ? longRoute(hash) : hash).split("?");
  const [, kind, ...rest] = path.split("/");
  let name = rest.join("/");
  try {
    name = decodeURIComponent(name);
  } catch { /* Somebody typed a percent sign. */ }
  return { path, kind: kind || "", name, query: Object.fromEntries(new URLSearchParams(query || "")) };
}

function buildPage({ kind, name, query }) {
  if (kind === "") return [homePage(query), TITLE];
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
  for (const cell of MAIN.querySelectorAll(".fields td:first-child"))
    cell.parentNode.classList.toggle("lit", Boolean(path) && asset === graph.root && cell.textContent === query.field);
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
  ...[["#/", "Assets", true], ["#/lineage", "Lineage", EDGES.length], ["#/prompts", "Prompts", DATA.prompts.length], ["#/answers", "Answers", DATA.answers.length]]
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
