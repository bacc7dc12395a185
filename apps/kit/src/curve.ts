/**
 * A loss curve of bounded size, however long the training. Each point stands for `stride` steps; when the
 * points are as many as a chart can show, each two become one, and the stride doubles. Beside the losses goes
 * their exponential mean, mₜ = β·mₜ₋₁ + (1 − β)·xₜ, divided by 1 − βᵗ so that it is unbiased from the first
 * step on (D. Kingma and J. Ba, "Adam", 2015, section 3).
 */

const DECAY = 0.95;
const CAPACITY = 4096;

export class Curve {
  readonly #capacity: number;
  #stride = 1;
  #sum = 0;
  #count = 0;
  #mean = 0;
  #weight = 0;
  #steps: number[] = [];
  #losses: number[] = [];
  #means: number[] = [];

  /** @param capacity the number of points that are never reached, even */
  constructor(capacity: number = CAPACITY) {
    this.#capacity = capacity;
  }

  /** Steps, losses and their means, as a chart takes them. */
  get columns(): [number[], number[], number[]] {
    return [this.#steps, this.#losses, this.#means];
  }

  /** The mean after the last step, null before the first. */
  get mean(): number | null {
    return this.#weight === 0 ? null : this.#mean / this.#weight;
  }

  add(step: number, loss: number): void {
    this.#mean = DECAY * this.#mean + (1 - DECAY) * loss;
    this.#weight = DECAY * this.#weight + (1 - DECAY);
    this.#sum += loss;
    this.#count++;
    if (this.#count < this.#stride) return;
    this.#steps.push(step);
    this.#losses.push(this.#sum / this.#count);
    this.#means.push(this.#mean / this.#weight);
    this.#sum = 0;
    this.#count = 0;
    if (this.#steps.length === this.#capacity) this.#halve();
  }

  #halve(): void {
    const isLater = (_: number, index: number): boolean => index % 2 === 1;
    this.#losses = this.#losses.map((loss, index) => (loss + this.#losses[index - 1]!) / 2).filter(isLater);
    this.#steps = this.#steps.filter(isLater);
    this.#means = this.#means.filter(isLater);
    this.#stride *= 2;
  }
}
