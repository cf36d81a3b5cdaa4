const TOP = 5;
const YES = 0.5; // from where on an independent label is answered with yes

const percent = new Intl.NumberFormat("en", {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

function newBar() {
  const bar = document.createElement("label");
  bar.className = "bar";
  bar.innerHTML = '<input type="radio" name="class" /><bdi></bdi><data></data>';
  return bar;
}

/**
 * Bars of the most probable classes: radio buttons, one of which is chosen. Of
 * labels that do not exclude each other, all above YES have one.
 */
export class Bars {
  #names;
  #rows;
  #independent;

  /**
   * @param {HTMLFieldSetElement} fieldset
   * @param {string[]} names of the K classes.
   * @param {boolean} independent: whether they do not exclude each other.
   */
  constructor(fieldset, names, independent) {
    this.#names = names.map((name) => name.replaceAll("_", " "));
    this.#independent = independent;
    this.#rows = names.slice(0, independent ? names.length : TOP).map(newBar);
    fieldset.classList.toggle("independent", independent);
    fieldset.append(...this.#rows);
  }

  /** The index of the chosen class. */
  get chosen() {
    const row = this.#rows.find((row) => row.firstChild.checked);
    return Number(row.firstChild.value);
  }

  get chosenName() {
    return this.#names[this.chosen];
  }

  /**
   * Shows the greatest of K probabilities and chooses the first: of equal ones
   * that of the smaller index, as `labels.top_classes` does.
   *
   * @param {Float32Array} probabilities
   * @return {string} the first two in a sentence, for a screen reader; of
   *     independent labels those above YES.
   */
  show(probabilities) {
    const order = Array.from(probabilities.keys());
    order.sort((a, b) => probabilities[b] - probabilities[a] || a - b);
    const words = this.#rows.map((row, i) => {
      const [input, name, data] = row.children;
      input.value = order[i];
      input.checked = i === 0;
      name.textContent = this.#names[order[i]];
      data.value = probabilities[order[i]];
      data.textContent = percent.format(data.value);
      row.style.setProperty("--part", data.value);
      row.hidden = i >= TOP && !(data.value > YES);
      return `${name.textContent}, ${data.textContent}.`;
    });
    if (!this.#independent) return words.slice(0, 2).join(" Then ");
    const count = probabilities.filter((value) => value > YES).length;
    return count ? words.slice(0, count).join(" ") : "None of the labels.";
  }
}
