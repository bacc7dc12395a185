/**
 * The page's entry point. What it needs is imported when it runs, so that a browser that cannot run it gets a
 * reason and not a dead page.
 */
import 'uplot/dist/uPlot.min.css';
import './style.css';
import { repairLanguage } from '@firsthand/kit/language';
import { Status } from './status.ts';

const status = new Status();
repairLanguage(navigator);
try {
  const { Page } = await import('./page.ts');
  new Page(status).open();
} catch (error) {
  status.fail('loading', String(error));
}
