// The answer of the network: bars of its most probable classes, and the words
// that a screen reader says.

const TOP = 5;

const percent = new Intl.NumberFormat("en", {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

/**
 * @param {Float32Array} probabilities of K classes.
 * @return {number[]} the indices of the most probable, the first one first;
 *     of equal ones the smaller index, as `labels.top_classes` does.
 */
export function topClasses(probabilities) {
  const order = Array.from(probabilities.keys());
  order.sort((a, b) => probabilities[b] - probabilities[a] || a - b);
  return order.slice(0, TOP);
}

/** The bars: radio buttons, one of which is chosen. */
export class Bars {
  #fieldset;
  #names;

  /**
   * @param {HTMLFieldSetElement} fieldset
   * @param {string[]} names of the K classes.
   * @param {function(number): void} choose takes the index of a class.
   */
  constructor(fieldset, names, choose) {
    this.#fieldset = fieldset;
    this.#names = names;
    fieldset.addEventListener("change", ({ target }) =>
      choose(Number(target.value)),
    );
  }

  /** Shows the probabilities; the most probable class becomes the chosen. */
  show(probabilities) {
    const top = topClasses(probabilities);
    this.#fieldset.hidden = false;
    const rows = this.#fieldset.querySelectorAll(".bar");
    if (rows.length !== top.length) {
      rows.forEach((row) => row.remove());
      this.#fieldset.append(...top.map(() => this.#row()));
    }
    this.#fieldset.querySelectorAll(".bar").forEach((row, i) => {
      const probability = probabilities[top[i]];
      const [input, data] = row.querySelectorAll("input, data");
      input.value = top[i];
      input.checked = i === 0;
      data.value = probability;
      data.textContent = percent.format(probability);
      row.querySelector(".name").textContent = this.name(top[i]);
      row.querySelector(".fill").style.transform = `scaleX(${probability})`;
    });
    return top;
  }

  /** A class's name as people write it. */
  name(index) {
    return this.#names[index].replaceAll("_", " ");
  }

  /** The first two classes in a sentence. */
  sentence(probabilities) {
    const [first, second] = topClasses(probabilities).map(
      (index) => `${this.name(index)}, ${percent.format(probabilities[index])}`,
    );
    return second ? `${first}. Then ${second}.` : `${first}.`;
  }

  #row() {
    const row = document.createElement("label");
    row.className = "bar";
    row.innerHTML =
      '<input type="radio" name="class" /><span class="name"></span>' +
      '<data></data><span class="rail" aria-hidden="true">' +
      '<span class="fill"></span></span>';
    return row;
  }
}
