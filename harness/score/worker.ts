/** A process that runs the cases it is sent, one after the other, and tells the result of each. It ends with its parent. */
import { type Job, resultOf } from './case-result.js';

process.on('message', (job: Job) => {
  resultOf(job).then(
    (result) => process.send!({ result }),
    (error: Error) => process.send!({ error: error.message }),
  );
});
process.on('disconnect', () => process.exit(0));
