// Shows the part of a long list that is in sight. A row's height is an estimate until it is drawn, and measured from then on.

import { el } from "./elements.js";

const BEYOND_PX = 800, NEAR_END_PX = 120;

export class VirtualList {
  #scroller;
  #draw;
  #estimate;
  #onNearTop;
  #before = el("div", { class: "space" });
  #after = el("div", { class: "space" });
  #rows = [];
  #index = new Map(); // key → number of the row
  #tops = [0];
  #heights = new Map(); // key → pixels, of rows that were drawn
  #drawn = new Map(); // key → element
  #observer = new ResizeObserver((entries) => this.#measured(entries));
  #anchor = null; // {key, offset}: the row that stays where it is while heights above it change
  #isAtEnd;
  #width = 0;

  /** `draw(row)` returns the element of a row, which has a `key`. `startsAtEnd`: the last row is in sight at first. */
  constructor(scroller, draw, { estimate = 64, startsAtEnd = false, onNearTop = () => {} } = {}) {
    Object.assign(this, { element: scroller });
    this.#scroller = scroller;
    this.#draw = draw;
    this.#estimate = estimate;
    this.#onNearTop = onNearTop;
    this.#isAtEnd = startsAtEnd;
    scroller.append(this.#before, this.#after);
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#observer.observe(scroller);
  }

  get isAtEnd() { return this.#isAtEnd; }
  get keys() { return this.#rows.map((row) => row.key); }

  close() { this.#observer.disconnect(); }

  /** Show these rows; the row in sight stays where it is, or the end does. */
  setRows(rows) {
    this.#rows = rows;
    this.#index = new Map(rows.map((row, n) => [row.key, n]));
    for (const key of this.#heights.keys()) if (this.#heights.size > 2 * rows.length + 100 && !this.#index.has(key)) this.#heights.delete(key);
    this.#lay();
    this.#hold();
  }

  /** Draw a row again, if it is drawn. */
  redraw(key) {
    const before = this.#drawn.get(key), row = this.#rows[this.#index.get(key)];
    if (!before || !row) return;
    const focused = before.contains(document.activeElement) ? before.querySelector("[tabindex='0']") : null;
    const now = this.#made(row);
    before.replaceWith(now);
    this.#observer.unobserve(before);
    if (focused) now.querySelector("[tabindex='0']")?.focus({ preventScroll: true });
  }

  /** Draw every row in sight again. */
  redrawAll() {
    for (const key of [...this.#drawn.keys()]) this.redraw(key);
  }

  /** Bring a row into the middle, and return its element. */
  show(key) {
    const n = this.#index.get(key);
    if (n === undefined) return null;
    this.#isAtEnd = false;
    this.#anchor = { key, offset: -Math.max(0, (this.#scroller.clientHeight - this.#height(n)) / 2) };
    this.#hold();
    return this.#drawn.get(key);
  }

  showEnd() {
    this.#isAtEnd = true;
    this.#hold();
  }

  #height(n) { return this.#heights.get(this.#rows[n].key) ?? this.#estimate; }

  #lay() {
    const tops = new Float64Array(this.#rows.length + 1);
    for (let n = 0; n < this.#rows.length; n += 1) tops[n + 1] = tops[n] + this.#height(n);
    this.#tops = tops;
  }

  /** The number of the row at `y` pixels from the top of the list. */
  #rowAt(y) {
    let low = 0, high = this.#rows.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle] <= y) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }

  #scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    this.#setAnchor();
    this.#render();
    if (scrollTop < 2 * clientHeight) this.#onNearTop();
  }

  #setAnchor() {
    const top = this.#scroller.scrollTop;
    let n = this.#rowAt(top);
    while (this.#rows[n]?.isLoose && n + 1 < this.#rows.length) n += 1; // stays at the top when rows come before the others
    this.#anchor = this.#rows.length ? { key: this.#rows[n].key, offset: top - this.#tops[n] } : null;
  }

  /** Render, and scroll so that the anchor or the end is where it was. */
  #hold() {
    this.#render();
    const n = this.#isAtEnd ? undefined : this.#index.get(this.#anchor?.key);
    const top = this.#isAtEnd ? this.#scroller.scrollHeight : n === undefined ? this.#scroller.scrollTop : this.#tops[n] + this.#anchor.offset;
    if (Math.abs(this.#scroller.scrollTop - top) > 0.5) this.#scroller.scrollTop = top;
    this.#render();
  }

  #render() {
    const { scrollTop, clientHeight } = this.#scroller, { length } = this.#rows;
    const first = length ? this.#rowAt(scrollTop - BEYOND_PX) : 0;
    const last = length ? this.#rowAt(scrollTop + clientHeight + BEYOND_PX) : -1;
    for (const [key, element] of this.#drawn) {
      const n = this.#index.get(key);
      if (n === undefined || n < first || n > last) this.#drop(key, element);
    }
    let previous = this.#before;
    for (let n = first; n <= last; n += 1) {
      const element = this.#drawn.get(this.#rows[n].key) ?? this.#made(this.#rows[n]);
      if (previous.nextSibling !== element) previous.after(element);
      previous = element;
    }
    this.#before.style.height = `${this.#tops[first] ?? 0}px`;
    this.#after.style.height = `${Math.max(0, this.#tops[length] - this.#tops[last + 1])}px`;
  }

  #made(row) {
    const element = this.#draw(row);
    element.dataset.key = row.key;
    this.#drawn.set(row.key, element);
    this.#observer.observe(element);
    return element;
  }

  #drop(key, element) {
    if (element.contains(document.activeElement)) this.#scroller.focus({ preventScroll: true });
    this.#observer.unobserve(element);
    this.#drawn.delete(key);
    element.remove();
  }

  #measured(entries) {
    let isChanged = false;
    for (const { target, borderBoxSize, contentRect } of entries) {
      if (target === this.#scroller) {
        isChanged = true;
        if (this.#width && this.#width !== contentRect.width) this.#heights.clear(); // lines break elsewhere now
        this.#width = contentRect.width;
        for (const [key, element] of this.#drawn) this.#heights.set(key, element.offsetHeight);
      } else if (this.#drawn.get(target.dataset.key) === target) {
        const height = borderBoxSize[0].blockSize;
        isChanged ||= this.#heights.get(target.dataset.key) !== height;
        this.#heights.set(target.dataset.key, height);
      }
    }
    if (!isChanged) return;
    this.#lay();
    this.#hold();
  }
}
