/**
 * The comparison on the GPU, from beginning to end: a page is built and served, opened in the user's browser
 * or in one that is started for it, and all contenders take turns in it, on one adapter. The plain loops, in
 * a process of their own, say what is right. Each task begins in a page that is new, so that what it costs at
 * first does not depend on the tasks before.
 */
import { UsageError } from '@firsthand/kit/options';
import { openPage } from './browser.ts';
import { describeMachine, goThrough, publish, requirePeers, type Tell } from './comparison.ts';
import { ORACLE, PAGE_CONTENDERS } from './contender.ts';
import { startContender } from './contender-process.ts';
import { renderCounts } from './counts.ts';
import { measure, type Outcomes } from './measure.ts';
import type { PageOptions } from './options.ts';
import { buildPage } from './page-build.ts';
import { PageServer } from './page-server.ts';
import type { PageSetting, Results, Row } from './results.ts';
import { renderTables } from './table.ts';
import type { Task } from './tasks.ts';

/** Said before the tables and after them. */
const SOFTWARE_NOTE = [
  '!!',
  '!!  THIS IS A GPU IN SOFTWARE: the processor computes. Counts and correctness hold anywhere; times and ratios hold here only,',
  '!!  and what is fast on it is not what is fast on a GPU. With a GPU: npm run bench:webgpu, and open the page in your own browser.',
  '!!',
].join('\n');

/** What makes kernels faster where an adapter has it. */
const FEATURES = ['shader-f16', 'subgroups'];

/**
 * @param program the file of this program
 * @returns whether every contender did its tasks, and did them right
 */
export async function benchmarkWebGPU(options: PageOptions, program: string): Promise<boolean> {
  requirePeers(options.contenders, PAGE_CONTENDERS);
  const server = new PageServer(await buildPage(options.contenders));
  const url = await server.listen();
  const shown =
    options.chromium === null
      ? null
      : await openPage(options.chromium, url, (message) => server.fail(message));
  if (shown === null) console.log(`open this page in a browser with WebGPU, and keep it in front: ${url}`);
  try {
    const page = await server.hello().catch((error: Error) => {
      throw new UsageError(`error: ${error.message}`, 1);
    });
    if (page === null) throw new UsageError('error: the browser gives the page no WebGPU adapter', 1);
    introduce(page);
    const rows = await measureAll(options, server, program);
    const setting = { ...describeMachine(), device: 'webgpu', effort: options.effort, page };
    const results: Results = { setting, rows };
    const tables = [
      renderTables(results),
      renderCounts(rows),
      ...(page.software ? [SOFTWARE_NOTE] : []),
    ].join('\n');
    return await publish(results, tables, options);
  } finally {
    await server.close();
    await shown?.close();
  }
}

function introduce({ browser, adapter, software, features }: PageSetting): void {
  console.log(browser);
  const has = FEATURES.map((name) => (features.includes(name) ? name : `no ${name}`));
  console.log(`adapter: ${adapter}; ${has.join(', ')}`);
  if (software) console.log(SOFTWARE_NOTE);
}

async function measureAll(
  { tasks, contenders: names, effort }: PageOptions,
  server: PageServer,
  program: string,
): Promise<Row[]> {
  const contenders = new Map(names.map((name) => [name, server.contender(name)]));
  const judge = startContender(program, ORACLE, { device: 'reference' });
  try {
    const measureOne = async (task: Task, tell: Tell): Promise<Outcomes> => {
      if (task !== tasks[0]) await server.reload();
      return measure(task, contenders, effort, tell, judge);
    };
    return await goThrough(tasks, measureOne, (line) => server.tell(line));
  } finally {
    judge.stop();
  }
}
