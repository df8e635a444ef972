"use strict";
// Reads the data of the page, and walks its lineage. Assets, edges and words are numbers: their places in the data.

const DATA = JSON.parse(document.getElementById("data").textContent);
const WORDS = DATA.words;
const VERDICTS = ["not known", "ok", "not ok"];

const words = (numbers) => (numbers || []).map((number) => WORDS[number]);

// The written pages, as text: first what stands there without JavaScript only, then assets, prompts and answers.
const PAGES = document.getElementsByTagName("noscript");
const pageText = (number) => PAGES[number + 1].textContent;

const LETTERS = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&#34;": '"', "&#39;": "'" };
const between = (text, before, after) => {
  const start = text.indexOf(before) + before.length;
  return text.slice(start, text.indexOf(after, start)).replace(/&(amp|lt|gt|#34|#39);/g, (code) => LETTERS[code]);
};

const ASSETS = DATA.assets.map((row, place) => {
  const text = pageText(place);
  const [kind, platform, verdict, flags, path, owners, marks, columns, marked, version] = row;
  const marksOfColumns = new Map((marked || []).map(([column, ...found]) => [column, words(found)]));
  return {
    place,
    urn: between(text, "<code>", "</code>"),
    name: between(text, "<summary>", " <small>"),
    kind: WORDS[kind || 0],
    platform: WORDS[platform || 0],
    verdict: VERDICTS[verdict || 0],
    missing: Boolean(flags & 1),
    checked: Boolean(flags & 2),
    deprecated: Boolean(flags & 4),
    path: words(path),
    owners: words(owners),
    // Its own, then those of its columns: a table with personal data in a column has personal data.
    marks: [...new Set([words(marks), ...marksOfColumns.values()].flat())],
    columns: columns || [],
    marksOfColumns,
    version: version || "",
    // Columns that edges name; a schema may lack some of them.
    named: new Set(),
    up: [],
    down: [],
  };
});

const EDGES = DATA.edges.map((row, place) => {
  const [up, down, foundBy, columns, since, uses] = row;
  const triples = (columns || []).flatMap((numbers) => {
    const [source, pairs] = numbers[0] < 0 ? [-1 - numbers[0], numbers.slice(1)] : [up, numbers];
    return pairs.flatMap((word, i) => (i % 2 ? [] : [source, word, pairs[i + 1]]));
  });
  const edge = { place, up, down: down || 0, columns: triples, since, foundBy: WORDS[foundBy || 0], uses: uses || [] };
  ASSETS[edge.up].down.push(edge);
  ASSETS[edge.down].up.push(edge);
  for (let i = 0; i < edge.columns.length; i += 3) {
    ASSETS[edge.columns[i]].named.add(edge.columns[i + 1]);
    ASSETS[edge.down].named.add(edge.columns[i + 2]);
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
