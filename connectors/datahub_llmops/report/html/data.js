"use strict";
// Reads the data of the page, and walks its lineage. Assets, edges and words are numbers: their places in the data.

const DATA = JSON.parse(document.getElementById("data").textContent);
const WORDS = DATA.words;
const VERDICTS = ["not known", "ok", "not ok"];

const LISTS = DATA.lists;

const words = (numbers) => numbers.map((number) => WORDS[number]);

// The written pages, as text, each from a line of its own: assets, prompts and answers. They stand in the second of two
// elements for browsers without JavaScript.
const PAGES = document.getElementsByTagName("noscript")[1].textContent.split("\n<details>").slice(1);

const LETTERS = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&#34;": '"', "&#39;": "'" };
const between = (text, before, after) => {
  const start = text.indexOf(before) + before.length;
  return text.slice(start, text.indexOf(after, start)).replace(/&(amp|lt|gt|#34|#39);/g, (code) => LETTERS[code]);
};

const ASSETS = DATA.assets.kind.map((kind, place) => {
  const text = PAGES[place];
  const of = (field) => DATA.assets[field][place];
  const marksOfColumns = new Map((of("marked") || []).map(([column, ...found]) => [column, words(found)]));
  return {
    place,
    urn: between(text, "<code>", "</code>"),
    name: between(text, "<summary>", " <small>"),
    kind: WORDS[kind],
    platform: WORDS[of("platform")],
    verdict: VERDICTS[of("state") >> 3],
    missing: Boolean(of("state") & 1),
    checked: Boolean(of("state") & 2),
    deprecated: Boolean(of("state") & 4),
    path: words(LISTS[of("path")]),
    owners: words(LISTS[of("owners")]),
    // Its own, then those of its columns: a table with personal data in a column has personal data.
    marks: [...new Set([words(LISTS[of("marks")]), ...marksOfColumns.values()].flat())],
    columns: LISTS[of("columns")],
    marksOfColumns,
    version: of("version") || "",
    // Columns that edges name; a schema may lack some of them.
    named: new Set(),
    up: [],
    down: [],
  };
});

let before = 0;
const EDGES = DATA.edges.up.map((difference, place) => {
  const up = (before += difference);
  const of = (field) => DATA.edges[field][place];
  const edge = { place, up, down: of("down"), columns: [], since: of("since"), foundBy: WORDS[of("found")], uses: of("uses") || [] };
  ASSETS[edge.up].down.push(edge);
  ASSETS[edge.down].up.push(edge);
  const pairs = LISTS[of("columns")];
  for (let i = 0, source = up; i < pairs.length; i += 2) {
    if (pairs[i] < 0) source = -1 - pairs[i++];
    edge.columns.push(source, pairs[i], pairs[i + 1]);
    ASSETS[source].named.add(pairs[i]);
    ASSETS[edge.down].named.add(pairs[i + 1]);
  }
  return edge;
});

const PLACE_OF = new Map(ASSETS.map((asset) => [asset.urn, asset.place]));

// The assets of a walk from `start`, with their distance. A walk never turns round, as in `lineage`.
function walk(start, hops) {
  const reached = new Map([[start, 0]]);
  for (const side of ["up", "down"]) {
    let front = [start];
    const seen = new Set(front);
    for (let hop = 1; front.length && hop <= hops; hop++) {
      const next = [];
      for (const place of front)
        for (const edge of ASSETS[place][side]) {
          if (seen.has(edge[side])) continue;
          seen.add(edge[side]);
          next.push(edge[side]);
          if (!reached.has(edge[side])) reached.set(edge[side], hop);
        }
      front = next;
    }
  }
  return reached;
}

// A column as one number, for maps and sets.
const columnKey = (asset, word) => asset * WORDS.length + word;
const assetOfKey = (key) => Math.floor(key / WORDS.length);
const wordOfKey = (key) => key % WORDS.length;

let columnSteps = null;

// For each column the steps up and down from it: the other column, and the edge that has the step.
function stepsOfColumns() {
  if (columnSteps) return columnSteps;
  columnSteps = { up: new Map(), down: new Map() };
  const add = (map, key, step) => (map.has(key) ? map.get(key).push(step) : map.set(key, [step]));
  for (const edge of EDGES)
    for (let i = 0; i < edge.columns.length; i += 3) {
      const from = columnKey(edge.columns[i], edge.columns[i + 1]);
      const to = columnKey(edge.down, edge.columns[i + 2]);
      add(columnSteps.up, to, { from, to, next: from, edge });
      add(columnSteps.down, from, { from, to, next: to, edge });
    }
  return columnSteps;
}

// The path of a column: every column that feeds it and that it feeds, the steps between them, and the jobs on the way.
function pathOfColumn(asset, word) {
  const start = columnKey(asset, word);
  const path = { start, columns: new Set([start]), up: [], down: [], steps: new Map(), assets: new Set([asset]) };
  for (const side of ["up", "down"]) {
    const seen = new Set([start]);
    const front = [start];
    while (front.length)
      for (const step of stepsOfColumns()[side].get(front.pop()) || []) {
        path.steps.set(step.edge.place + " " + step.from + " " + step.to, step);
        path.assets.add(step.edge.up).add(step.edge.down);
        if (seen.has(step.next)) continue;
        seen.add(step.next);
        path.columns.add(step.next);
        path.assets.add(assetOfKey(step.next));
        path[side].push(step.next);
        front.push(step.next);
      }
  }
  return path;
}

// The columns of its schema, then those that only edges name.
const columnsOf = (asset) => [...new Set([...asset.columns, ...asset.named])];

// What an asset is in the colours of the graph.
const FAMILIES = {
  "Vector Collection": "index", "Embedding Job": "job", Prompt: "prompt", Retriever: "index", "Answer Log": "app",
  "LLM Application": "app", Guardrail: "app", Model: "model",
};
const FAMILY_WORDS = {
  data: "data", job: "job", index: "index", model: "model", prompt: "prompt", app: "application", other: "other",
};
const familyOf = (asset) =>
  FAMILIES[asset.kind] ||
  (asset.urn.startsWith("urn:li:dataJob:") ? "job"
    : asset.urn.startsWith("urn:li:ml") ? "model"
    : asset.urn.startsWith("urn:li:dataset:") ? "data"
    : "other");
