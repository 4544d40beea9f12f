// The rows that are kept: bounded in number and in characters. The file is the buffer; what goes here can be had again.

const ROWS = 50_000;
const CHARS = 24e6;

export class Store {
  constructor() {
    this.clear();
  }

  clear() {
    this.rows = [];
    this.head = 0;
    this.chars = 0;
  }

  get length() {
    return this.rows.length - this.head;
  }

  at(n) {
    return this.rows[this.head + n];
  }

  push(row) {
    this.rows.push(row);
    this.chars += row.text.length;
  }

  extend(row, text) {
    // a line without end must not grow without end either
    if (row.text.length < 4e6) {
      row.text += text;
      this.chars += text.length;
    }
    row.version++;
  }

  // Twice as many while the reader looks at older ones: what is read must not be let go.
  get isFull() {
    return this.length >= 2 * ROWS || this.chars >= 2 * CHARS;
  }

  // Lets the oldest go; whether there were any.
  trim() {
    const before = this.head;
    while (this.length > ROWS || (this.chars > CHARS && this.length > 1)) {
      this.chars -= this.rows[this.head].text.length;
      this.rows[this.head++] = undefined;
    }
    if (this.head > ROWS) {
      this.rows.splice(0, this.head);
      this.head = 0;
      return true;
    }
    return this.head !== before;
  }

  // Puts rows before one that is there.
  before(row, rows) {
    const at = this.rows.indexOf(row, this.head);
    if (at < 0) return false;
    this.rows.splice(at, 0, ...rows);
    this.chars += rows.reduce((sum, row) => sum + row.text.length, 0);
    return true;
  }

  remove(row) {
    const at = this.rows.indexOf(row, this.head);
    if (at >= 0) this.rows.splice(at, 1);
  }
}
