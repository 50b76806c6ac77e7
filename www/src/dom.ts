/** Small helpers for the DOM. They set text as text, never as HTML. */

/** Returns the element with that id. Throws if the page has none. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as T;
}

/** Creates an element with attributes and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Sets an element's text if it differs. An unchanged text causes no work and no announcement by a screen reader. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

/** Marks a button as idle with `aria-disabled`. `disabled` would move the focus away from the button. */
export function setIdle(button: HTMLElement, idle: boolean): void {
  button.setAttribute("aria-disabled", String(idle));
}

/** A list of terms and values whose values are set by name. */
export class Definitions {
  readonly #values = new Map<string, HTMLElement>();

  constructor(list: HTMLElement, entries: readonly (readonly [name: string, label: string])[]) {
    for (const [name, label] of entries) {
      const value = element("dd", { "data-testid": name }, "0");
      list.append(element("div", {}, element("dt", {}, label), value));
      this.#values.set(name, value);
    }
  }

  set(name: string, value: string | number): void {
    const target = this.#values.get(name);
    if (target !== undefined) setText(target, typeof value === "number" ? value.toLocaleString("en") : value);
  }
}
