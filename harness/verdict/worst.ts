/** ORDER BY of calls with their causes: what its people would complain of first; of equals, the one whose cause is surest. */
export const WORST_FIRST = `bad DESC, (dead_air AND dropped) DESC, dead_air DESC, one_way DESC, crossed_audio DESC, dropped DESC, failed DESC,
  confidence DESC NULLS LAST, mos NULLS LAST, callNo`;
