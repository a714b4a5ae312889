"use strict";
// Search, filter, zoom and focus over a drawing that is whole without it. Text
// comes into the page as text only: names in a mesh may be hostile.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const svg = document.querySelector("#stage svg");
  const boxes = [...svg.querySelectorAll("[data-node]")];
  const lines = [...svg.querySelectorAll("path[data-edge]")];
  const tags = new Map([...svg.querySelectorAll("text[data-edge]")].map((t) => [Number(t.dataset.edge), t]));
  const home = lines.map((l) => l.getAttribute("d"));
  const around = data.nodes.map(() => []);
  data.edges.forEach((e, i) => { around[e.from].push(i); if (e.to !== e.from) around[e.to].push(i); });
  let chosen = -1;
  let view = { x: 0, y: 0, w: data.width, h: data.height };
  let place = data.nodes.map((n) => ({ x: n.x, y: n.y }));

  const el = (name, text, className) => {
    const e = document.createElement(name);
    if (text !== undefined) e.textContent = text;
    if (className) e.className = className;
    return e;
  };

  // Which nodes and edges are wanted.
  const kinds = () => new Set([...document.querySelectorAll("[name=kind]:checked")].map((c) => c.value));
  function near(start, depth, wanted) {
    const column = new Map([[start, 0]]);
    for (const forward of [true, false]) {
      const calls = new Map([[start, 0]]);
      const queue = [[start, 0]];
      for (let q = 0; q < queue.length; q++) {
        const [at, steps] = queue[q];
        for (const i of around[at]) {
          const e = data.edges[i];
          const to = forward ? e.to : e.from;
          if ((forward ? e.from : e.to) !== at || !wanted.has(e.kind)) continue;
          const cost = calls.get(at) + (e.kind === "grant" ? 1 : 0);
          if ((depth && cost > depth) || (calls.has(to) && calls.get(to) <= cost)) continue;
          calls.set(to, cost);
          if (!column.has(to)) column.set(to, forward ? steps + 1 : -steps - 1);
          queue.push([to, steps + 1]);
        }
      }
    }
    return column;
  }

  function show() {
    const wanted = kinds();
    const namespace = $("namespace").value;
    const column = chosen < 0 ? null : near(chosen, Number($("depth").value), wanted);
    const inside = (i) => !namespace || data.nodes[i].namespace === namespace;
    const touched = new Set();
    const edges = data.edges.map((e) => wanted.has(e.kind) && (column ? column.has(e.from) && column.has(e.to) : inside(e.from) || inside(e.to)));
    data.edges.forEach((e, i) => { if (edges[i]) touched.add(e.from).add(e.to); });
    const nodes = data.nodes.map((n, i) => (column ? column.has(i) : inside(i) || touched.has(i)));
    boxes.forEach((b, i) => { b.classList.toggle("gone", !nodes[i]); b.classList.toggle("chosen", i === chosen); });
    lines.forEach((l, i) => { l.classList.toggle("gone", !edges[i]); l.classList.toggle("lit", chosen >= 0 && (data.edges[i].from === chosen || data.edges[i].to === chosen)); });
    tags.forEach((t, i) => t.classList.toggle("gone", !edges[i] || chosen >= 0));
    arrange(column);
    const count = nodes.filter(Boolean).length;
    $("count").textContent = count === data.nodes.length ? data.summary : `${count} of ${data.nodes.length} shown`;
    fit();
  }

  // Around a chosen one the rest stands in columns: who reaches it to the left,
  // what it reaches to the right.
  function arrange(column) {
    place = data.nodes.map((n) => ({ x: n.x, y: n.y }));
    if (column) {
      const byColumn = new Map();
      for (const [i, c] of column) byColumn.set(c, [...(byColumn.get(c) || []), i]);
      const wide = Math.max(...[...column.keys()].map((i) => data.nodes[i].w)) + 110;
      for (const [c, members] of byColumn) {
        members.sort((a, b) => (data.nodes[a].id < data.nodes[b].id ? -1 : 1));
        members.forEach((i, k) => { place[i] = { x: c * wide, y: (k - (members.length - 1) / 2) * 58 }; });
      }
    }
    boxes.forEach((b, i) => b.setAttribute("transform", `translate(${place[i].x} ${place[i].y})`));
    lines.forEach((l, i) => l.setAttribute("d", column ? curve(data.edges[i]) : home[i]));
  }

  function curve(e) {
    const a = data.nodes[e.from], b = data.nodes[e.to], p = place[e.from], q = place[e.to];
    if (e.from === e.to) return `M${p.x + a.w} ${p.y + 14}c50 -50 50 50 2 12`;
    const ahead = q.x > p.x;
    const x1 = ahead ? p.x + a.w : p.x, x2 = ahead ? q.x : q.x + b.w;
    const y1 = p.y + a.h / 2, y2 = q.y + b.h / 2, reach = (ahead ? 1 : -1) * Math.max(Math.abs(x2 - x1) / 2, 30);
    return `M${x1} ${y1}C${x1 + reach} ${y1} ${x2 - reach} ${y2} ${x2} ${y2}`;
  }

  // Zoom. The view never shows a chosen one's surroundings too small to read.
  const draw = () => svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
  function fit() {
    const seen = data.nodes.map((n, i) => i).filter((i) => !boxes[i].classList.contains("gone"));
    if (!seen.length) return;
    const left = Math.min(...seen.map((i) => place[i].x)) - 24, top = Math.min(...seen.map((i) => place[i].y)) - 24;
    const right = Math.max(...seen.map((i) => place[i].x + data.nodes[i].w)) + 24, bottom = Math.max(...seen.map((i) => place[i].y + data.nodes[i].h)) + 24;
    view = { x: left, y: top, w: right - left, h: bottom - top };
    const least = 0.9, stage = $("stage");
    if (chosen >= 0 && (stage.clientWidth / view.w < least || stage.clientHeight / view.h < least)) {
      const w = stage.clientWidth / least, h = stage.clientHeight / least, n = data.nodes[chosen], p = place[chosen];
      view = { x: p.x + n.w / 2 - w / 2, y: p.y + n.h / 2 - h / 2, w, h };
    }
    draw();
  }
  function zoom(factor, at) {
    const c = at || { x: view.x + view.w / 2, y: view.y + view.h / 2 };
    if (view.w * factor > data.width * 8 || view.w * factor < 60) return;
    view = { x: c.x - (c.x - view.x) * factor, y: c.y - (c.y - view.y) * factor, w: view.w * factor, h: view.h * factor };
    draw();
  }
  const point = (ev) => new DOMPoint(ev.clientX, ev.clientY).matrixTransform(svg.getScreenCTM().inverse());
  svg.addEventListener("wheel", (ev) => { ev.preventDefault(); zoom(ev.deltaY > 0 ? 1.2 : 1 / 1.2, point(ev)); }, { passive: false });
  let drag = null;
  svg.addEventListener("pointerdown", (ev) => { if (!ev.target.closest("[data-node]")) { drag = point(ev); svg.setPointerCapture(ev.pointerId); } });
  svg.addEventListener("pointermove", (ev) => { if (drag) { const p = point(ev); view.x -= p.x - drag.x; view.y -= p.y - drag.y; draw(); } });
  svg.addEventListener("pointerup", () => { drag = null; });

  // What is chosen, in words.
  function choose(i) {
    chosen = i;
    details();
    show();
    try { history.replaceState(null, "", i < 0 ? "#" : "#" + encodeURIComponent(data.nodes[i].id)); } catch { /* some viewers keep their address */ }
  }
  function jump(i) {
    const b = el("button", data.nodes[i].id.replace(/^[a-z]+:/, ""));
    b.type = "button";
    b.addEventListener("click", () => choose(i));
    return b;
  }
  function details() {
    const box = $("details");
    box.replaceChildren();
    if (chosen < 0) return;
    box.append(el("h2", data.nodes[chosen].id.replace(/^[a-z]+:/, "")));
    data.nodes[chosen].title.split("\n").slice(1).forEach((l) => box.append(el("div", l)));
    const lists = [["May call", "grant", true], ["May be called by", "grant", false], ["Calls are sent to", "split", true], ["Gets calls of", "split", false], ["Run by", "runs", true], ["Runs", "runs", false]];
    for (const [name, kind, forward] of lists) {
      const own = around[chosen].map((i) => data.edges[i]).filter((e) => e.kind === kind && (forward ? e.from : e.to) === chosen);
      if (!own.length) continue;
      const list = el("ul");
      for (const e of own) {
        const item = el("li");
        item.append(jump(forward ? e.to : e.from));
        if (e.percent) item.append(" " + e.percent);
        e.causes.forEach((c) => item.append(el("div", c, "cause")));
        list.append(item);
      }
      box.append(el("h3", `${name} (${own.length})`), list);
    }
  }

  // Search: every word must be somewhere in a name, or in what makes its edges.
  const most = 200;
  const words = data.nodes.map((n, i) => (n.id + " " + n.title + " " + around[i].flatMap((k) => data.edges[k].causes).join(" ")).toLowerCase());
  function search() {
    const asked = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const rank = (i) => (asked.some((w) => data.nodes[i].name.toLowerCase() === w) ? 0 : asked.every((w) => data.nodes[i].id.toLowerCase().includes(w)) ? 1 : 2);
    const hits = data.nodes.map((n, i) => i).filter((i) => asked.every((w) => words[i].includes(w))).sort((a, b) => rank(a) - rank(b) || a - b);
    $("found").textContent = hits.length > most ? `${hits.length} found, ${most} listed` : `${hits.length} found`;
    $("results").replaceChildren(...hits.slice(0, most).map((i) => { const item = el("li"); item.append(jump(i), el("span", " " + data.nodes[i].kind, "cause")); return item; }));
    return hits;
  }

  boxes.forEach((b, i) => {
    b.setAttribute("tabindex", "0");
    b.setAttribute("role", "button");
    b.setAttribute("aria-label", data.nodes[i].title.replace(/\n/g, ", "));
    b.addEventListener("click", () => choose(i));
    b.addEventListener("keydown", (ev) => { if (ev.key === "Enter" || ev.key === " ") { ev.preventDefault(); choose(i); } });
  });
  [...new Set(data.nodes.map((n) => n.namespace).filter(Boolean))].sort().forEach((ns) => $("namespace").append(new Option(ns, ns)));
  $("search").addEventListener("input", search);
  $("search").addEventListener("keydown", (ev) => { const hits = search(); if (ev.key === "Enter" && hits.length) choose(hits[0]); });
  $("namespace").addEventListener("change", () => { chosen = -1; details(); show(); });
  document.querySelectorAll("[name=kind]").forEach((c) => c.addEventListener("change", show));
  $("depth").addEventListener("change", show);
  $("all").addEventListener("click", () => { $("namespace").value = ""; choose(-1); });
  $("in").addEventListener("click", () => zoom(1 / 1.4));
  $("out").addEventListener("click", () => zoom(1.4));
  $("fit").addEventListener("click", fit);
  $("theme").addEventListener("click", () => {
    const root = document.documentElement, dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  document.addEventListener("keydown", (ev) => {
    if (ev.target.matches("input,select")) return;
    const step = view.w / 10;
    const moves = { "+": () => zoom(1 / 1.4), "-": () => zoom(1.4), 0: fit, "/": () => $("search").focus(), Escape: () => choose(-1), ArrowLeft: () => { view.x -= step; draw(); }, ArrowRight: () => { view.x += step; draw(); }, ArrowUp: () => { view.y -= step; draw(); }, ArrowDown: () => { view.y += step; draw(); } };
    if (moves[ev.key] && !(ev.target.closest("#side") && ev.key.startsWith("Arrow"))) { ev.preventDefault(); moves[ev.key](); }
  });
  svg.removeAttribute("width");
  svg.removeAttribute("height");
  svg.setAttribute("role", "group");
  search();
  const asked = data.nodes.findIndex((n) => "#" + encodeURIComponent(n.id) === location.hash);
  if (asked >= 0) choose(asked); else show();
})();
