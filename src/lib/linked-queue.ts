/** First in, first out, with removal from anywhere in constant time. An item is in at most one queue. */

export interface Linked<T> {
  next: T | null;
  previous: T | null;
}

export class LinkedQueue<T extends Linked<T>> {
  #first: T | null = null;
  #last: T | null = null;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  pushLast(item: T): void {
    item.previous = this.#last;
    item.next = null;
    if (this.#last === null) this.#first = item;
    else this.#last.next = item;
    this.#last = item;
    this.#length++;
  }

  pushFirst(item: T): void {
    item.next = this.#first;
    item.previous = null;
    if (this.#first === null) this.#last = item;
    else this.#first.previous = item;
    this.#first = item;
    this.#length++;
  }

  takeFirst(): T | null {
    const item = this.#first;
    if (item !== null) this.remove(item);
    return item;
  }

  /** The item must be in this queue. */
  remove(item: T): void {
    if (item.previous === null) this.#first = item.next;
    else item.previous.next = item.next;
    if (item.next === null) this.#last = item.previous;
    else item.next.previous = item.previous;
    item.next = null;
    item.previous = null;
    this.#length--;
  }
}
