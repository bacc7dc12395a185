/**
 * The page's end of the protocol with the worker: posts requests, receives reports, and matches each reading
 * with its request.
 */
import { type Handlers, PendingAnswers, receive } from '@firsthand/kit/messages';
import type { Settings } from 'mnist/settings';
import type { PageDevice, Report, Request } from './protocol.ts';

/** The page's handler of each report; the answer to a `read` goes to its caller. */
export type ReportHandlers = Omit<Handlers<Report>, 'readings'>;

export class TrainerClient {
  readonly #worker: Worker;
  readonly #readings: PendingAnswers<Float32Array | null> = new PendingAnswers();

  constructor(handlers: ReportHandlers) {
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    receive<Report>(this.#worker, {
      ...handlers,
      readings: ({ id, probabilities }) => this.#readings.answer(id, probabilities),
    });
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
    this.#post({ kind: 'start', device, settings });
  }

  stop(): void {
    this.#post({ kind: 'stop' });
  }

  /**
   * Has images read by the network as it is now.
   * @param pixels (n · 784) bytes
   * @returns (n · 10) probabilities; null as long as there is no network
   */
  async read(pixels: Uint8Array): Promise<Float32Array | null> {
    return this.#readings.request((id) => this.#post({ kind: 'read', id, pixels }));
  }

  #post(request: Request): void {
    this.#worker.postMessage(request);
  }
}
