/** The worker's entry point: loads the digits, and does what the page asks for. */
import { receive } from '@firsthand/kit/messages';
import { loadDigits } from './digit-files.ts';
import type { Report, Request } from './protocol.ts';
import { type Data, describe, Trainer } from './trainer.ts';

const tell = (report: Report): void => postMessage(report);

const data: Data = { train: loadDigits('train'), test: loadDigits('test') };
const trainer = new Trainer(tell, data);

receive<Request>(globalThis, {
  start: ({ device, settings }) => void trainer.start(device, settings),
  stop: () => trainer.stop(),
  read: ({ id, pixels }) => void trainer.read(id, pixels),
});

const fail = (error: unknown): void => tell({ kind: 'failed', stage: 'loading', message: describe(error) });
// The test digits are there first, being fewer; training waits for the others.
data.test.then((test) => tell({ kind: 'loaded', test }), fail);
data.train.catch(fail);
