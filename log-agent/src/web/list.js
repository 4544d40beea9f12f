// Shows as many rows as fit the window, of however many there are. The scroll bar stands for a share of the rows: the row at that share is
// put at the same share of the window, so that rows of any height need no measuring but of those that are seen.

const ROW = 18;
const SHOWN = 6_000;

export class List {
  constructor(view, store, draw, moved) {
    Object.assign(this, { view, store, draw, moved, follow: true, asked: false, elements: new Map(), set: -1, shifted: 0 });
    this.sizer = view.querySelector(".sizer");
    this.window = view.querySelector(".window");
    view.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => this.changed()).observe(view);
  }

  scrolled() {
    const { view } = this;
    // not what was set here
    if (Math.abs(view.scrollTop - this.set) > 1) {
      this.follow = view.scrollTop + view.clientHeight >= view.scrollHeight - ROW;
      this.set = -1;
      this.moved(this.follow);
    }
    this.changed();
  }

  toEnd() {
    this.follow = true;
    this.moved(true);
    this.changed();
  }

  // Rows were put before the one at the top: what is seen stays.
  shift(rows) {
    this.shifted += rows * ROW;
    this.changed();
  }

  // Every row is drawn anew.
  redraw() {
    this.elements.clear();
    this.window.replaceChildren();
    this.changed();
  }

  changed() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.show();
    });
  }

  show() {
    const { view, store } = this;
    const height = view.clientHeight;
    const total = Math.max(store.length * ROW, height);
    this.sizer.style.height = `${total}px`;
    const room = Math.max(0, total - height);
    if (this.shifted) {
      view.scrollTop += this.shifted;
      this.set = view.scrollTop;
      this.shifted = 0;
    }
    if (this.follow) {
      if (Math.abs(view.scrollTop - room) > 0.5) view.scrollTop = room;
      this.set = view.scrollTop;
    }
    const share = room ? Math.min(1, view.scrollTop / room) : 0;
    const place = share * store.length;
    const each = Math.ceil(height / ROW) + 4;
    const first = Math.max(0, Math.floor(place) - Math.ceil(each * share) - 4);
    const last = Math.min(store.length, Math.ceil(place) + Math.ceil(each * (1 - share)) + 4);
    const wanted = [];
    for (let n = first; n < last; n++) wanted.push(this.element(store.at(n)));
    this.fill(wanted);
    // where in the window of elements that place is
    const anchor = Math.min(Math.floor(place), store.length - 1) - first;
    let at = 0;
    if (wanted[anchor]) at = wanted[anchor].offsetTop + (place - Math.floor(Math.min(place, store.length - 1))) * wanted[anchor].offsetHeight;
    this.window.style.transform = `translateY(${Math.round(view.scrollTop + share * height - at)}px)`;
    if (room === 0) this.window.style.transform = "translateY(0)";
  }

  element(row) {
    let made = this.elements.get(row);
    if (!made || made.version !== row.version) {
      const node = this.draw(row, SHOWN);
      made?.node.replaceWith(node);
      made = { node, version: row.version };
      this.elements.set(row, made);
    }
    return made.node;
  }

  // Only what changed is touched: a selection in the rest stays.
  fill(wanted) {
    const keep = new Set(wanted);
    for (const child of [...this.window.children]) if (!keep.has(child)) child.remove();
    let next = this.window.firstChild;
    for (const node of wanted) {
      if (node === next) next = next.nextSibling;
      else this.window.insertBefore(node, next);
    }
    if (this.elements.size > 4 * wanted.length + 200) {
      for (const [row, made] of this.elements) if (!keep.has(made.node)) this.elements.delete(row);
    }
  }
}
