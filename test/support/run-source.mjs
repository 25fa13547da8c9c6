// Runs a TypeScript file of ours in another thread or process, when we ourselves run from sources (tests).
import { createJiti } from 'jiti';

const [file] = process.argv.splice(2, 1);
await createJiti(import.meta.url, { fsCache: false }).import(file);
