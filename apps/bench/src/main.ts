/**
 * The program: a comparison on the processor, or a profile of this project alone, or, where its first word
 * says so, a comparison on the GPU, or one of the contenders that a comparison starts. Exit codes: 0 done; 1
 * something failed, or a contender did; 2 the arguments are wrong.
 */
import { UsageError } from '@firsthand/kit/options';
import { benchmark } from './benchmark.ts';
import type { DeviceName, NodeContender } from './contender.ts';
import { CONTENDER_MARK, CONTENDER_WORD } from './contender-process.ts';
import { STARTERS } from './contenders/table.ts';
import { parseOptions, parsePageOptions } from './options.ts';
import { profile } from './profile.ts';
import { serve } from './serve.ts';
import { benchmarkWebGPU } from './webgpu.ts';

const [program, ...args] = process.argv.slice(1) as [string, ...string[]];

/** @returns whether all went well */
async function run([word, ...rest]: readonly string[]): Promise<boolean> {
  if (word === 'webgpu') return benchmarkWebGPU(parsePageOptions(rest), program);
  const options = parseOptions(args);
  return options.profile ? profile(options) : benchmark(options, program);
}

try {
  if (args[0] === CONTENDER_WORD) {
    const [, name, device] = args as [string, NodeContender, DeviceName];
    serve(await STARTERS[name]({ device }));
  } else {
    if (CONTENDER_MARK in process.env)
      throw new UsageError('error: a contender cannot start a comparison', 2);
    process.exitCode = (await run(args)) ? 0 : 1;
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  (error.exitCode === 0 ? console.log : console.error)(error.message);
  process.exitCode = error.exitCode;
}
