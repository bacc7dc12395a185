/** The worker's entry point: loads the digits, and then does what the page asks for. */
import { loadDigits } from './digit-files.ts';
import { deliver, type Handlers, type Report, type Request } from './protocol.ts';
import { type Data, describe, Trainer } from './trainer.ts';

const tell = (report: Report): void => postMessage(report);

async function load(): Promise<Data> {
  const [train, test] = await Promise.all([loadDigits('train'), loadDigits('test')]);
  return { train, test };
}

const data = load();
const trainer = new Trainer(tell, data);

const handlers: Handlers<Request> = {
  start: ({ device, settings }) => void trainer.start(device, settings),
  stop: () => trainer.stop(),
  read: ({ id, pixels }) => void trainer.read(id, pixels),
};
addEventListener('message', ({ data: request }: MessageEvent<Request>) => deliver(handlers, request));

data.then(
  ({ test }) => tell({ kind: 'loaded', test }),
  (error: unknown) => tell({ kind: 'failed', stage: 'loading', message: describe(error) }),
);
