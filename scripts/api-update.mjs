// `npm run api:update`: builds the packages and rewrites each one's api.txt, the snapshot of its public
// declarations. The difference is for review.
import { install, pnpm } from './workspace.mjs';

const done =
  install() &&
  pnpm(['exec', 'turbo', 'run', 'build', '--output-logs=errors-only', '--ui=stream']) === 0 &&
  pnpm(['exec', 'vitest', 'run', '--root', 'tests/api', '--update']) === 0;
process.exitCode = done ? 0 : 1;
