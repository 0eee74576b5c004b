/** The entry of a job process. */
import { REGISTRY } from './registry.ts';
import { serveJob } from './serve.ts';

serveJob(REGISTRY);
