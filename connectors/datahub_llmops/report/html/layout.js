// A layered drawing from left to right, after Sugiyama: rank, order within the layers, place. Pure.

// `nodes` are {w, h, port}: `port` is how far below its top an edge meets a node. `links` are {from, to} by places of
// nodes. Returns the size, the corner {x, y} of each node, and for each link the points that it passes.
function layOut(nodes, links) {
  const { forward, back } = breakCycles(nodes.length, links);
  const rank = rankNodes(nodes.length, forward);
  const { layers, chains, items } = buildLayers(nodes, forward, rank);
  orderLayers(layers, items);
  placeInLayers(layers, items);
  return drawn(nodes, links, layers, items, chains, back);
}

const BETWEEN_LAYERS = 64;
const BETWEEN_NODES = 18;
const BETWEEN_BENDS = 8;

// How far the port of an item is below that of the one above it, at least.
const distance = (above, item) =>
  above.h - above.port + item.port + (above.place < 0 && item.place < 0 ? BETWEEN_BENDS : BETWEEN_NODES);

// Turns round the links that close a cycle. Loops are drawn beside their node and take no part.
function breakCycles(count, links) {
  const out = Array.from({ length: count }, () => []);
  const entered = new Array(count).fill(0);
  links.forEach((link, place) => {
    if (link.from === link.to) return;
    out[link.from].push(place);
    entered[link.to]++;
  });
  const state = new Array(count).fill(0);
  const back = new Set();
  const starts = [...Array(count).keys()].sort((a, b) => Number(entered[a] > 0) - Number(entered[b] > 0) || a - b);
  for (const start of starts) {
    if (state[start]) continue;
    const stack = [[start, 0]];
    state[start] = 1;
    while (stack.length) {
      const top = stack[stack.length - 1];
      const place = out[top[0]][top[1]++];
      if (place === undefined) {
        state[top[0]] = 2;
        stack.pop();
      } else if (state[links[place].to] === 1) back.add(place);
      else if (!state[links[place].to]) {
        state[links[place].to] = 1;
        stack.push([links[place].to, 0]);
      }
    }
  }
  const forward = [];
  links.forEach(({ from, to }, place) => {
    if (from !== to) forward.push(back.has(place) ? { from: to, to: from, place } : { from, to, place });
  });
  return { forward, back };
}

// Each node stands right of all that feed it, and those that feed little stand near what they feed.
function rankNodes(count, links) {
  const out = Array.from({ length: count }, () => []);
  const into = new Array(count).fill(0);
  for (const { from, to } of links) {
    out[from].push(to);
    into[to]++;
  }
  const rank = new Array(count).fill(0);
  const open = [...into];
  const order = [];
  for (let node = 0; node < count; node++) if (!open[node]) order.push(node);
  for (let at = 0; at < order.length; at++)
    for (const to of out[order[at]]) {
      rank[to] = Math.max(rank[to], rank[order[at]] + 1);
      if (!--open[to]) order.push(to);
    }
  for (const node of order.reverse())
    if (out[node].length && into[node] < out[node].length + (into[node] ? 0 : 1))
      rank[node] = Math.min(...out[node].map((to) => rank[to])) - 1;
  return rank;
}

// An item is a node, or a bend of a link in a layer that it passes.
function buildLayers(nodes, links, rank) {
  const items = nodes.map((node, place) => ({ place, layer: rank[place], h: node.h, w: node.w, port: node.port, left: [], right: [] }));
  const chains = new Map();
  const join = (a, b) => {
    items[a].right.push(b);
    items[b].left.push(a);
  };
  for (const { from, to, place } of links) {
    const chain = [];
    let last = from;
    for (let layer = rank[from] + 1; layer < rank[to]; layer++) {
      items.push({ place: -1, layer, h: 2, w: 0, port: 1, left: [], right: [] });
      chain.push(items.length - 1);
      join(last, items.length - 1);
      last = items.length - 1;
    }
    join(last, to);
    chains.set(place, chain);
  }
  const layers = [];
  items.forEach((item, place) => (layers[item.layer] ||= []).push(place));
  return { layers: [...layers].map((layer) => layer || []), chains, items };
}

// Sweeps back and forth, each item towards the middle of its neighbours, and keeps the order with the fewest crossings.
function orderLayers(layers, items) {
  const at = new Array(items.length);
  const number = (layer) => layer.forEach((item, place) => (at[item] = place));
  startOrder(layers, items);
  layers.forEach(number);
  let best = layers.map((layer) => [...layer]);
  let fewest = crossings(layers, items, at);
  for (let sweep = 0, idle = 0; fewest && idle < 6 && sweep < 24; sweep++) {
    const side = sweep % 2 ? "right" : "left";
    const order = sweep % 2 ? [...layers.keys()].reverse() : [...layers.keys()];
    for (const place of order) {
      const middle = new Map(layers[place].map((item) => [item, median(items[item][side].map((other) => at[other]), at[item])]));
      layers[place].sort((a, b) => middle.get(a) - middle.get(b) || at[a] - at[b]);
      number(layers[place]);
    }
    const count = crossings(layers, items, at);
    idle = count < fewest ? 0 : idle + 1;
    if (count < fewest) {
      fewest = count;
      best = layers.map((layer) => [...layer]);
    }
  }
  best.forEach((layer, place) => {
    layers[place] = layer;
    number(layer);
  });
}

// Connected parts one below the other, each in the order of a walk.
function startOrder(layers, items) {
  const order = new Map();
  for (const start of [...layers].flat()) {
    const stack = [start];
    while (stack.length) {
      const item = stack.pop();
      if (order.has(item)) continue;
      order.set(item, order.size);
      stack.push(...items[item].left, ...items[item].right);
    }
  }
  layers.forEach((layer) => layer.sort((a, b) => order.get(a) - order.get(b)));
}

function median(values, otherwise) {
  if (!values.length) return otherwise;
  values.sort((a, b) => a - b);
  const half = values.length >> 1;
  return values.length % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// Counts inversions with a Fenwick tree.
function crossings(layers, items, at) {
  let count = 0;
  for (let place = 0; place + 1 < layers.length; place++) {
    const size = layers[place + 1].length;
    const tree = new Array(size + 1).fill(0);
    let seen = 0;
    for (const item of layers[place]) {
      const ends = items[item].right.map((other) => at[other]).sort((a, b) => a - b);
      for (const end of ends) {
        let before = 0;
        for (let i = end + 1; i > 0; i -= i & -i) before += tree[i];
        count += seen - before;
      }
      for (const end of ends) {
        seen++;
        for (let i = end + 1; i <= size; i += i & -i) tree[i]++;
      }
    }
  }
  return count;
}

// Each port goes to the middle of its neighbours' ports as far as the order and the heights allow.
function placeInLayers(layers, items) {
  for (const layer of layers)
    layer.forEach((item, i) => (items[item].y = i ? items[layer[i - 1]].y + distance(items[layer[i - 1]], items[item]) : 0));
  const settle = (layer, sides) => {
    const wish = layer.map((item) => {
      const others = sides.flatMap((side) => items[item][side]);
      if (!others.length) return { y: items[item].y, weight: 0.1 };
      const bend = items[item].place < 0;
      const sum = others.reduce((total, other) => total + items[other].y, 0);
      return { y: sum / others.length, weight: bend ? 4 : 1 };
    });
    fit(layer.map((item) => items[item]), wish);
  };
  for (let sweep = 0; sweep < 8; sweep++) {
    for (let place = 1; place < layers.length; place++) settle(layers[place], ["left"]);
    for (let place = layers.length - 2; place >= 0; place--) settle(layers[place], ["right"]);
  }
  for (let sweep = 0; sweep < 4; sweep++) for (const layer of layers) settle(layer, ["left", "right"]);
}

// The nearest places to what is wished for, in least squares, with the distances kept: pools of neighbours that touch.
function fit(items, wish) {
  const offset = [];
  items.forEach((item, i) => (offset[i] = i ? offset[i - 1] + distance(items[i - 1], item) : 0));
  const pools = [];
  wish.forEach(({ y, weight }, i) => {
    pools.push({ sum: (y - offset[i]) * weight, weight, size: 1 });
    while (pools.length > 1) {
      const last = pools[pools.length - 1];
      const above = pools[pools.length - 2];
      if (above.sum / above.weight <= last.sum / last.weight) break;
      pools.splice(-2, 2, { sum: above.sum + last.sum, weight: above.weight + last.weight, size: above.size + last.size });
    }
  });
  let i = 0;
  for (const pool of pools) for (let n = 0; n < pool.size; n++, i++) items[i].y = pool.sum / pool.weight + offset[i];
}

function drawn(nodes, links, layers, items, chains, back) {
  const lefts = [];
  let x = 0;
  const widths = layers.map((layer) => Math.max(0, ...layer.map((item) => items[item].w)));
  widths.forEach((width, place) => {
    lefts[place] = x;
    x += width + BETWEEN_LAYERS;
  });
  const top = Math.min(...items.map((item) => item.y - item.port));
  const corners = nodes.map((node, place) => ({ x: lefts[items[place].layer], y: items[place].y - items[place].port - top }));
  const routes = links.map((link, place) => {
    const bends = (chains.get(place) || []).flatMap((item) => {
      const { layer, y } = items[item];
      return [[lefts[layer], y - top], [lefts[layer] + widths[layer], y - top]];
    });
    return back.has(place) ? bends.reverse() : bends;
  });
  return {
    width: Math.max(0, x - BETWEEN_LAYERS),
    height: Math.max(0, ...nodes.map((node, place) => corners[place].y + node.h)),
    corners,
    routes,
    back,
  };
}
