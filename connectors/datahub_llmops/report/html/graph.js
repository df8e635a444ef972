// The lineage graph: cards are HTML, edges are SVG. What it draws, the page also says in lists.

const CARD = 220;
const MOST_CARDS = 300;
const FEW_CARDS = 60;
const SHOWN_FIELDS = 12;
const ROW = 22;
// Words are still read at this one.
const LEAST_SCALE = 0.7;
const HOPS = [1, 2, 3, 5, 10, Infinity];
const SVG = "http://www.w3.org/2000/svg";

const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

// As many hops as give a graph that can be read at a glance.
function defaultHops(start) {
  return [...HOPS].reverse().find((hops) => walk(start, hops).size <= FEW_CARDS) || 1;
}

// Cards for assets: each its own, or above the limit one for all of a container. `open` says how many of a container
// are shown one by one.
function buildCards(places, keep, open) {
  const single = (place) => ({ key: "a" + place, asset: ASSETS[place], places: [place] });
  if (places.length <= MOST_CARDS) return places.map(single);
  const deepest = Math.max(...places.map((place) => ASSETS[place].path.length));
  let groups;
  for (let depth = deepest; depth >= 0; depth--) {
    groups = new Map();
    for (const place of places) {
      const { platform, kind, path } = ASSETS[place];
      const key = keep.has(place) ? "a" + place : JSON.stringify([platform, ...(path.length && depth ? path.slice(0, depth) : ["", kind])]);
      groups.has(key) ? groups.get(key).push(place) : groups.set(key, [place]);
    }
    if (groups.size <= MOST_CARDS) break;
  }
  return [...groups].flatMap(([key, members]) => {
    const shown = open.get(key) || 0;
    const rest = members.slice(shown);
    return [...members.slice(0, shown).map(single), ...(rest.length === 1 ? rest.map(single) : rest.length ? [{ key, places: rest }] : [])];
  });
}

function groupTitle(places) {
  const { path, kind } = ASSETS[places[0]];
  const shared = path.filter((step, depth) => places.every((place) => ASSETS[place].path[depth] === step));
  return shared.join(" / ") || kind + "s";
}

class Graph {
  // `root` is the place of an asset, or null for the whole report. `light` goes to the page of a column.
  constructor(root, light) {
    this.root = root;
    this.light = light;
    this.open = new Map();
    this.fields = new Map();
    this.path = null;
    this.scale = 1;
    this.hops = root === null ? Infinity : defaultHops(root);
    this.view = make("div", { class: "view", tabindex: "0", role: "region", "aria-label": "Lineage graph. Arrow keys go from card to card, plus and minus zoom." });
    this.sheet = make("div", { class: "sheet" });
    this.plane = make("div", { class: "plane" });
    this.says = make("div", { class: "says", role: "status" });
    this.note = make("div", { class: "legend" });
    this.sheet.append(this.plane);
    this.view.append(this.sheet);
    this.element = make("section", { class: "graph", "aria-label": "Lineage" });
    this.element.append(this.tools(), this.view, this.says, this.note);
    this.listen();
    if (DATA.columns && this.places().length <= FEW_CARDS) this.expandAll(true);
  }

  tools() {
    const tools = make("div", { class: "tools" }, make("h2", {}, "Lineage"));
    if (this.root !== null) {
      const select = make("select", { onchange: () => { this.hops = Number(select.value); this.draw(true); } },
        ...HOPS.map((hops) => make("option", { value: hops }, hops === Infinity ? "all" : String(hops))));
      select.value = String(this.hops);
      tools.append(make("label", {}, "Hops ", select));
    }
    this.all = make("button", { onclick: () => this.expandAll(!this.expanded) }, "Show fields");
    this.clear = make("button", { hidden: true, onclick: () => this.light(null) }, "Clear path");
    tools.append(
      this.clear, this.all,
      make("button", { "aria-label": "Zoom out", onclick: () => this.zoom(1 / 1.25) }, "−"),
      make("button", { "aria-label": "Zoom in", onclick: () => this.zoom(1.25) }, "+"),
      make("button", { onclick: () => this.fit() }, "Fit"),
    );
    return tools;
  }

  expandAll(on) {
    this.expanded = on;
    this.fields.clear();
    if (on) for (const place of this.places()) this.fields.set(place, SHOWN_FIELDS);
    this.all.textContent = on ? "Hide fields" : "Show fields";
    this.all.setAttribute("aria-expanded", String(on));
    if (this.drawn) this.draw(true);
  }

  places() {
    if (this.root !== null) return [...walk(this.root, this.hops).keys()].sort((a, b) => a - b);
    return ASSETS.filter((asset) => asset.up.length || asset.down.length).map((asset) => asset.place);
  }

  // Shows the path of a column, or no path.
  show(path) {
    this.path = path;
    this.clear.hidden = !path;
    this.draw();
    this.says.replaceChildren(...(path ? sayPath(path) : []));
    const first = path && this.plane.querySelector(".start");
    if (first && !this.plane.contains(document.activeElement)) this.reveal(first.closest(".card"));
  }

  draw(fit = false) {
    const places = this.places();
    const keep = new Set([this.root, ...DATA.roots, ...(this.path ? this.path.assets : [])]);
    this.cards = buildCards(places, keep, this.open);
    this.cardOf = new Map(this.cards.flatMap((card, at) => card.places.map((place) => [place, at])));
    for (const card of this.cards) this.measure(card);
    this.links = this.buildLinks();
    const drawing = layOut(this.cards, this.links);
    this.drawing = drawing;
    this.linkOf = new Map(this.links.map((link, at) => [link.from + " " + link.to, at]));
    const focused = this.plane.contains(document.activeElement) && document.activeElement.dataset.focus;
    const before = focused && placeOnScreen(document.activeElement);
    this.plane.replaceChildren(this.edges(), ...this.cards.map((card, at) => this.card(card, drawing.corners[at])));
    this.plane.classList.toggle("lit", Boolean(this.path));
    this.plane.classList.toggle("many", this.links.length > 200);
    this.resize();
    const again = focused && this.plane.querySelector(`[data-focus="${CSS.escape(focused)}"]`);
    if (again) {
      again.focus({ preventScroll: true });
      // What was clicked stays under the pointer.
      const [x, y] = placeOnScreen(again);
      this.view.scrollBy(x - before[0], y - before[1]);
    }
    this.tell(places);
    if (fit || !this.drawn) requestAnimationFrame(() => this.fit());
    this.drawn = true;
  }

  tell(places) {
    const groups = this.cards.filter((card) => !card.asset).length;
    const families = [...new Set(this.cards.filter((card) => card.asset).map((card) => familyOf(card.asset)))];
    const notes = [
      plural(places.length, "asset") + ", " + plural(this.count, "edge"),
      groups ? `${plural(groups, "container")} drawn as one card; open it to see what is inside` : "",
      this.links.some((link) => link.since) ? "dashed: not confirmed by the last run" : "",
      "Ctrl and wheel: zoom",
    ].filter(Boolean);
    this.note.replaceChildren(
      ...families.map((family) => make("span", {}, make("span", { class: "kind k-" + family, "aria-hidden": "true" }), FAMILY_WORDS[family])),
      ...notes.map((note) => make("span", {}, note)),
    );
  }

  buildLinks() {
    const links = new Map();
    this.count = 0;
    for (const [place, from] of this.cardOf)
      for (const edge of ASSETS[place].down) {
        const to = this.cardOf.get(edge.down);
        if (to === undefined) continue;
        this.count++;
        if (from === to && this.cards[from].places.length > 1) continue;
        const key = from + " " + to;
        if (!links.has(key)) links.set(key, { from, to, edges: [] });
        links.get(key).edges.push(edge);
      }
    return [...links.values()].map((link) => ({ ...link, since: link.edges.every((edge) => edge.since) && link.edges[0].since }));
  }

  // Heights are those of page.css, so that the layout need not wait for the browser's.
  measure(card) {
    const { asset } = card;
    card.w = CARD;
    card.port = 27;
    card.marks = asset ? asset.marks.slice(0, 2) : [];
    const every = asset ? columnsOf(asset) : [];
    card.every = every.length;
    const most = asset ? this.fields.get(asset.place) || 0 : 0;
    const lit = this.path && asset ? every.filter((word) => this.path.columns.has(columnKey(asset.place, word))) : [];
    card.rows = [...new Set([...lit, ...every.slice(0, most)])];
    card.more = most ? every.length - card.rows.length : 0;
    card.head = 45 + 18 * card.marks.length + (every.length || !asset ? 20 : 0);
    card.h = card.head + 9 + (card.rows.length ? 5 + ROW * (card.rows.length + (card.more > 0 ? 1 : 0)) - 4 : 0);
  }

  card(card, { x, y }) {
    const { asset, places } = card;
    const element = make("div", {
      class: [
        "card", asset ? "k-" + familyOf(asset) : "group k-other", asset && asset.place === this.root ? "root" : "",
        asset && asset.missing ? "gone" : "", asset && asset.checked ? "seen" : "",
        this.path && places.some((place) => this.path.assets.has(place)) ? "on" : "",
      ].join(" "),
    });
    Object.assign(element.style, { left: x + "px", top: y + "px", width: card.w + "px", height: card.h + "px" });
    if (!asset) {
      const title = groupTitle(places);
      element.append(
        make("a", { href: "#/?" + new URLSearchParams({ q: title, platform: ASSETS[places[0]].platform }), title: shortened(title), "data-focus": card.key }, title),
        make("div", { class: "what" }, `${ASSETS[places[0]].platform} · ${plural(places.length, "asset")}`),
        make("button", { onclick: () => { this.open.set(card.key, (this.open.get(card.key) || 0) + 100); this.draw(); } },
          places.length > 100 ? "Show 100 of them" : "Show them"),
      );
      return element;
    }
    const name = asset.name || asset.urn;
    element.append(make("a", { href: routeOf(asset), title: shortened(name), "data-focus": card.key }, name));
    if (asset.checked) element.append(verdictMark(asset.verdict));
    element.append(make("div", { class: "what" }, [asset.kind, asset.platform].filter(Boolean).join(" · ")));
    const hidden = asset.marks.length - card.marks.length;
    card.marks.forEach((word, at) => {
      const more = hidden && at === card.marks.length - 1 ? ` and ${hidden} more` : "";
      element.append(make("div", { class: "marks", title: shortened(asset.marks.join(", ")) }, (word.startsWith("#") ? word : "◆ " + word) + more));
    });
    if (card.every) {
      const on = this.fields.has(asset.place);
      element.append(make("button", {
        "aria-expanded": String(on), "data-focus": card.key + "f",
        "aria-label": `${plural(card.every, "field")} of ${name}`,
        onclick: () => { on ? this.fields.delete(asset.place) : this.fields.set(asset.place, SHOWN_FIELDS); this.draw(); },
      }, `${on ? "▾" : "▸"} ${plural(card.every, "field")}`));
    }
    if (card.rows.length) element.append(this.columns(card));
    return element;
  }

  columns({ asset, rows, more, key }) {
    const list = make("ul");
    for (const word of rows) {
      const column = columnKey(asset.place, word);
      const on = this.path && this.path.columns.has(column);
      const start = this.path && this.path.start === column;
      const marks = asset.marksOfColumns.get(asset.columns.indexOf(word)) || [];
      list.append(make("li", { class: (on ? "on" : "") + (start ? " start" : "") },
        make("button", {
          title: shortened(WORDS[word]), "aria-pressed": String(Boolean(start)), "data-focus": key + "w" + word,
          onclick: () => this.light(start ? null : { asset: asset.place, word }),
        }, WORDS[word], marks.length ? make("i", { title: shortened(marks.join(", ")) }, " ◆") : "")));
    }
    if (more > 0)
      list.append(make("li", {}, make("button", { onclick: () => { this.fields.set(asset.place, Infinity); this.draw(); } }, `${more} more`)));
    return list;
  }

  edges() {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("width", this.drawing.width);
    svg.setAttribute("height", this.drawing.height);
    svg.append(arrow("head"), arrow("head-lit"));
    this.links.forEach((link, at) => {
      const path = line(this.points(at), "edge" + (link.since ? " open" : ""), "head");
      path.dataset.from = link.from;
      path.dataset.to = link.to;
      svg.append(path);
    });
    for (const d of this.litLines()) {
      const path = line(d, "column", "head-lit");
      svg.append(path);
    }
    return svg;
  }

  corner(at) {
    return this.drawing.corners[at];
  }

  // Where edges, or edges of a column, meet a card.
  port(at, column = null) {
    const card = this.cards[at];
    const row = column === null || !card.asset ? -1 : card.rows.findIndex((word) => columnKey(card.asset.place, word) === column);
    return this.corner(at).y + (row < 0 ? card.port : card.head + 5 + row * ROW + ROW / 2);
  }

  // The points of a link: from the side of one card, between the cards of the layers that it passes, to the other card.
  points(at, fromColumn = null, toColumn = null) {
    const { from, to } = this.links[at];
    const turned = this.drawing.back.has(at);
    const start = this.corner(from).x + (turned ? 0 : CARD);
    const end = this.corner(to).x + (turned ? CARD : 0);
    return [[start, this.port(from, fromColumn)], ...this.drawing.routes[at], [end, this.port(to, toColumn)]];
  }

  litLines() {
    const lines = new Map();
    for (const { from, to, edge } of this.path ? this.path.steps.values() : []) {
      const cards = [assetOfKey(from), edge.up, edge.down].map((place) => this.cardOf.get(place));
      const through = assetOfKey(from) === edge.up ? [] : [[cards[0], cards[1], from, null], [cards[1], cards[2], null, to]];
      for (const [a, b, fromColumn, toColumn] of through.length ? through : [[cards[0], cards[2], from, to]]) {
        const at = this.linkOf.get(a + " " + b);
        if (at === undefined) continue;
        const points = this.points(at, fromColumn, toColumn);
        lines.set(String(points), points);
      }
    }
    return lines.values();
  }

  // Size on the screen

  resize() {
    const { width, height } = this.drawing;
    this.plane.style.transform = `translate(20px,20px) scale(${this.scale})`;
    this.sheet.style.width = width * this.scale + 40 + "px";
    this.sheet.style.height = height * this.scale + 40 + "px";
  }

  zoom(by, x = this.view.clientWidth / 2, y = this.view.clientHeight / 2) {
    const before = this.scale;
    this.scale = Math.min(2, Math.max(0.1, this.scale * by));
    const ratio = this.scale / before;
    const { scrollLeft, scrollTop } = this.view;
    this.resize();
    this.view.scrollTo((scrollLeft + x - 20) * ratio - x + 20, (scrollTop + y - 20) * ratio - y + 20);
  }

  // The whole graph, if its words can be read then; if not, the asset in the middle.
  fit(width = this.view.clientWidth) {
    const most = Math.max(200, Math.min(640, innerHeight * 0.72)) - 56;
    const all = Math.min(1, (width - 40) / this.drawing.width, most / this.drawing.height);
    this.scale = Math.max(all, matchMedia("print").matches ? 0.1 : LEAST_SCALE);
    this.view.style.height = Math.min(most, this.drawing.height * this.scale) + 56 + "px";
    this.resize();
    const first = this.cards.findIndex((_, at) => !this.corner(at).x);
    const middle = this.plane.querySelector(".start") || this.plane.querySelector(".root") || this.plane.querySelectorAll(".card")[first];
    this.reveal(middle.closest(".card"));
  }

  reveal(card) {
    const x = card.offsetLeft * this.scale + 20;
    const y = card.offsetTop * this.scale + 20;
    this.view.scrollTo(
      x - (this.view.clientWidth - card.offsetWidth * this.scale) / 2,
      y - (this.view.clientHeight - card.offsetHeight * this.scale) / 2,
    );
  }

  // Pointer and keys

  listen() {
    const { view } = this;
    view.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = view.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });
    view.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button || event.target.closest(".card")) return;
      view.setPointerCapture(event.pointerId);
      view.classList.add("drag");
    });
    view.addEventListener("pointermove", (event) => {
      if (view.classList.contains("drag")) view.scrollBy(-event.movementX, -event.movementY);
    });
    for (const end of ["pointerup", "pointercancel"]) view.addEventListener(end, () => view.classList.remove("drag"));
    view.addEventListener("keydown", (event) => this.key(event));
    for (const [event, on] of [["focusin", true], ["focusout", false], ["pointerover", true], ["pointerout", false]])
      view.addEventListener(event, ({ target }) => this.mark(target.closest(".card"), on));
  }

  mark(card, on) {
    if (!card) return;
    const at = [...this.plane.children].indexOf(card) - 1;
    for (const path of this.plane.querySelectorAll(`[data-from="${at}"],[data-to="${at}"]`)) path.classList.toggle("near", on);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    if (key === "+" || key === "=") this.zoom(1.25);
    else if (key === "-") this.zoom(1 / 1.25);
    else if (key === "0") this.fit();
    else if (key === "Escape" && this.path) this.light(null);
    else if (!key.startsWith("Arrow") || !this.step(key.slice(5).toLowerCase())) return;
    event.preventDefault();
  }

  // Goes to the next card in a direction; from the graph itself to its root.
  step(direction) {
    const cards = [...this.plane.querySelectorAll(".card")];
    const current = document.activeElement.closest(".card");
    const next = current ? nearest(this.cards.map((_, at) => this.middle(at)), cards.indexOf(current), direction) : cards.findIndex((card) => card.matches(".root"));
    const card = cards[next < 0 && !current ? 0 : next];
    if (!card) return false;
    card.querySelector("a").focus({ preventScroll: true });
    this.reveal(card);
    return true;
  }

  middle(at) {
    return [this.corner(at).x, this.corner(at).y + this.cards[at].port];
  }
}

function nearest(points, current, direction) {
  const [x, y] = points[current];
  let best = -1;
  let least = Infinity;
  points.forEach(([otherX, otherY], at) => {
    const [ahead, aside] = { left: [x - otherX, otherY - y], right: [otherX - x, otherY - y], up: [y - otherY, otherX - x], down: [otherY - y, otherX - x] }[direction];
    const far = ahead + 2 * Math.abs(aside);
    if (ahead > 1 && far < least) [best, least] = [at, far];
  });
  return best;
}

function placeOnScreen(element) {
  const { left, top } = element.getBoundingClientRect();
  return [left, top];
}

const shortened = (text) => (text.length > 200 ? text.slice(0, 200) + "…" : text);

function arrow(id) {
  const marker = document.createElementNS(SVG, "marker");
  for (const [name, value] of Object.entries({ id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto", markerUnits: "userSpaceOnUse" }))
    marker.setAttribute(name, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", "M0 0L8 4L0 8z");
  path.setAttribute("class", id);
  marker.append(path);
  return marker;
}

// Curves that leave and enter level.
function line(points, className, head) {
  const path = document.createElementNS(SVG, "path");
  let d = `M${points[0]}`;
  for (let i = 1; i < points.length; i++) {
    const [x, y] = points[i - 1];
    const [toX, toY] = points[i];
    const middle = (x + toX) / 2;
    d += y === toY ? `H${toX}` : `C${middle} ${y} ${middle} ${toY} ${toX} ${toY}`;
  }
  path.setAttribute("d", d);
  path.setAttribute("class", className);
  path.setAttribute("marker-end", `url(#${head})`);
  return path;
}

// The path of a column in words.
function sayPath(path) {
  const name = (key) => `${ASSETS[assetOfKey(key)].name}.${WORDS[wordOfKey(key)]}`;
  const link = (key) => make("a", { href: routeOf(ASSETS[assetOfKey(key)], WORDS[wordOfKey(key)]) }, name(key));
  const list = (keys) => keys.flatMap((key, at) => (at ? [", ", link(key)] : [link(key)]));
  const used = usesOf(path.start);
  return [
    make("p", {}, make("b", {}, name(path.start)), path.up.length ? " comes from " : " comes from no other column of this report.", ...list(path.up)),
    make("p", {}, path.down.length ? "It feeds " : "It feeds no other column of this report.", ...list(path.down)),
    ...(used.length ? [make("p", {}, "SQL uses it besides: ", used.join("; "), ".")] : []),
  ];
}

function usesOf(column) {
  const found = [];
  for (const edge of EDGES)
    for (let i = 0; i < edge.uses.length; i += 3)
      if (columnKey(edge.uses[i], edge.uses[i + 1]) === column) found.push(`${WORDS[edge.uses[i + 2]]} for ${ASSETS[edge.down].name}`);
  return found;
}
