/**
 * Messages between a page and its worker: each is an object with a `kind`, and each end has one handler for
 * each kind.
 */

/** One handler for each kind of message. */
export type Handlers<Message extends { readonly kind: string }> = {
  readonly [K in Message['kind']]: (message: Extract<Message, { readonly kind: K }>) => void;
};

/** Calls the handler of the message's kind. */
export function deliver<Message extends { readonly kind: string }>(
  handlers: Handlers<Message>,
  message: Message,
): void {
  const handle = handlers[message.kind as Message['kind']] as (message: Message) => void;
  handle(message);
}

/** The part of a worker, or of a worker's own scope, that receives messages. */
interface Receiver {
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
}

/** Delivers every message that arrives from now on. */
export function receive<Message extends { readonly kind: string }>(
  receiver: Receiver,
  handlers: Handlers<Message>,
): void {
  receiver.addEventListener('message', ({ data }: MessageEvent<Message>) => deliver(handlers, data));
}

/** Requests on their way, each with an id by which its answer is found. */
export class PendingAnswers<Answer> {
  readonly #resolvers: Map<number, (answer: Answer) => void> = new Map();
  #next = 0;

  /**
   * Sends a request.
   * @param send posts it with the id that its answer will bear
   */
  async request(send: (id: number) => void): Promise<Answer> {
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#resolvers.set(id, resolve);
      send(id);
    });
  }

  /** Resolves the request of this id; an unknown id is ignored. */
  answer(id: number, answer: Answer): void {
    this.#resolvers.get(id)?.(answer);
    this.#resolvers.delete(id);
  }
}
