/**
 * The page's end of the conversation with the worker: requests go out, reports come in, and a question is
 * matched with its answer.
 */
import type { Settings } from 'mnist/settings';
import { deliver, type Handlers, type PageDevice, type Report, type Request } from './protocol.ts';

/** What the page does on each report; answers to `read` go to whoever asked. */
export type ReportHandlers = Omit<Handlers<Report>, 'readings'>;

export class TrainerClient {
  readonly #worker: Worker;
  readonly #waiting: Map<number, (probabilities: Float32Array | null) => void> = new Map();
  #questions = 0;

  constructor(handlers: ReportHandlers) {
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    const all: Handlers<Report> = {
      ...handlers,
      readings: ({ id, probabilities }) => {
        this.#waiting.get(id)?.(probabilities);
        this.#waiting.delete(id);
      },
    };
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Report>) => deliver(all, data));
    // A worker that could not be started, or threw outside of any request.
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault();
      handlers.failed({
        kind: 'failed',
        stage: 'loading',
        message: event.message || 'The part of the page that computes could not be started.',
      });
    });
  }

  start(device: PageDevice, settings: Settings): void {
    this.#ask({ kind: 'start', device, settings });
  }

  stop(): void {
    this.#ask({ kind: 'stop' });
  }

  /**
   * Has images read by the network as it is now.
   * @param pixels (n · 784) bytes
   * @returns (n · 10) probabilities; null as long as there is no network
   */
  async read(pixels: Uint8Array): Promise<Float32Array | null> {
    const id = this.#questions++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#ask({ kind: 'read', id, pixels });
    });
  }

  #ask(request: Request): void {
    this.#worker.postMessage(request);
  }
}
