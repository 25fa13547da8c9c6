/**
 * ITU-T G.107 (06/2015), the E-model: what a listener would say of a call, from its loss and delay.
 *
 *   R = Ro - Is - Id(Ta) - Ie,eff(Ppl, BurstR) + A        A = 0: wired access
 *
 * Every parameter that a packet network does not change has its default of table 2. The constants are written once: the
 * TypeScript function and the DuckDB macros are made from the same object.
 */

/** G.107 table 2, defaults. */
const G107 = {
  slr: 8,
  rlr: 2,
  stmr: 15,
  dr: 3,
  ds: 3,
  telr: 65,
  wepl: 110,
  qdu: 1,
  nc: -70,
  nfor: -64,
  ps: 35,
  pr: 35,
  /** Minimum perceivable delay mT, ms, and delay sensitivity sT: table 1, class "default". */
  mT: 100,
  sT: 1,
} as const;

/** G.113 Appendix I: G.711 with the loss concealment of G.711 Appendix I, random loss. */
export const G711_PLC = { ie: 0, bpl: 25.1 } as const;

/** One 20 ms packet is filled before it is sent, and waits in a 60 ms jitter buffer: the mouth-to-ear delay of no network. */
export const PACKET_MS = 20;
export const JITTER_BUFFER_MS = 60;

/** Below R = 70 "many users are dissatisfied" (G.107 annex B, table B.1); R = 70 is MOS 3.60. */
export const POOR_R = 70;
export const POOR_MOS = 3.6;

const log10 = Math.log10;

/** 7.2: noise powers, dBm0p, and the basic signal-to-noise ratio. */
const OLR = G107.slr + G107.rlr;
const NOS = G107.ps - G107.slr - G107.ds - 100 + 0.004 * (G107.ps - OLR - G107.ds - 14) ** 2;
const PRE = G107.pr + 10 * log10(1 + 10 ** ((10 - (G107.stmr + G107.dr)) / 10));
const NOR = G107.rlr - 121 + PRE + 0.008 * (PRE - 35) ** 2;
const NFO = G107.nfor + G107.rlr;
const NO = 10 * log10([G107.nc, NOS, NOR, NFO].reduce((sum, n) => sum + 10 ** (n / 10), 0));
export const RO = 15 - 1.5 * (G107.slr + NO);

/** 7.3: impairments that come with the voice, at no delay: too loud, sidetone, quantising. */
const XOLR = OLR + 0.2 * (64 + NO - G107.rlr);
const IOLR = 20 * ((1 + (XOLR / 8) ** 8) ** (1 / 8) - XOLR / 8);
const STMRO = -10 * log10(10 ** (-G107.stmr / 10) + 10 ** (-G107.telr / 10));
const IST =
  12 * (1 + ((STMRO - 13) / 6) ** 8) ** (1 / 8) -
  28 * (1 + ((STMRO + 1) / 19.4) ** 35) ** (1 / 35) -
  13 * (1 + ((STMRO - 3) / 33) ** 13) ** (1 / 13) +
  29;
const Q = 37 - 15 * log10(G107.qdu);
const G = 1.07 + 0.258 * Q + 0.0602 * Q ** 2;
const IQ = 15 * log10(1 + 10 ** ((RO - 100) / 15 + 46 / 8.4 - G / 9) + 10 ** (46 / 30 - G / 40));
export const IS = IOLR + IST + IQ;

/** 7.4: talker echo Idte, listener echo Idle, and delay itself Idd; T = Ta = Tr / 2. */
const ROE = -1.5 * (NO - G107.rlr);
const RLE_0 = 10.5 * (G107.wepl + 7);

export function delayImpairment(delayMs: number): number {
  const t = Math.max(delayMs, 0);
  const terv = G107.telr - 40 * log10((1 + t / 10) / (1 + t / 150)) + 6 * Math.exp(-0.3 * t * t);
  const re = 80 + 2.5 * (terv - 14);
  const idte = ((ROE - re) / 2 + Math.sqrt((ROE - re) ** 2 / 4 + 100) - 1) * (1 - Math.exp(-t));
  const rle = RLE_0 * (2 * t + 1) ** -0.25;
  const idle = (RO - rle) / 2 + Math.sqrt((RO - rle) ** 2 / 4 + 169);
  if (t <= G107.mT) return idte + idle;
  const x = Math.log2(t / G107.mT);
  const p = 6 * G107.sT;
  return idte + idle + 25 * ((1 + x ** p) ** (1 / p) - 3 * (1 + (x / 3) ** p) ** (1 / p) + 2);
}

/** 7.5: `lossPct` is Ppl, 0..100; `burstR` is the mean burst length over that of random loss, at least 1. */
export function equipmentImpairment(lossPct: number, burstR = 1): number {
  const { ie, bpl } = G711_PLC;
  return lossPct <= 0 ? ie : ie + ((95 - ie) * lossPct) / (lossPct / Math.max(1, burstR) + bpl);
}

export function ratingR(lossPct: number, burstR: number, delayMs: number): number {
  return RO - IS - delayImpairment(delayMs) - equipmentImpairment(lossPct, burstR);
}

/** Annex B, B-4. */
export function mosOfR(r: number): number {
  if (r <= 0) return 1;
  if (r >= 100) return 4.5;
  // The cubic dips below 1 for R < 6.5; nobody scores below 1.
  return Math.max(1, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6);
}

export function mos(lossPct: number, burstR: number, delayMs: number): number {
  return mosOfR(ratingR(lossPct, burstR, delayMs));
}

/** The same, for DuckDB. Numbers are printed with all their digits, so both sides start from the same doubles. */
export const MOS_MACROS = [
  `CREATE OR REPLACE MACRO g107_idd(t) AS CASE WHEN t <= ${G107.mT} THEN 0.0 ELSE 25.0 * (
     pow(1 + pow(log2(t / ${G107.mT}.0), ${6 * G107.sT}), 1.0 / ${6 * G107.sT})
     - 3 * pow(1 + pow(log2(t / ${G107.mT}.0) / 3, ${6 * G107.sT}), 1.0 / ${6 * G107.sT}) + 2) END`,
  `CREATE OR REPLACE MACRO g107_re(t) AS 80 + 2.5 * (${G107.telr}.0 - 40 * log10((1 + t / 10.0) / (1 + t / 150.0))
     + 6 * exp(greatest(-0.3 * t * t, -700.0)) - 14)`,
  `CREATE OR REPLACE MACRO g107_idte(t) AS ((${ROE}::DOUBLE - g107_re(t)) / 2
     + sqrt(pow(${ROE}::DOUBLE - g107_re(t), 2) / 4 + 100) - 1) * (1 - exp(-least(t, 700.0)))`,
  `CREATE OR REPLACE MACRO g107_idle(t) AS (${RO}::DOUBLE - ${RLE_0}::DOUBLE * pow(2 * t + 1, -0.25)) / 2
     + sqrt(pow(${RO}::DOUBLE - ${RLE_0}::DOUBLE * pow(2 * t + 1, -0.25), 2) / 4 + 169)`,
  `CREATE OR REPLACE MACRO g107_ie(loss_pct, burst_r) AS CASE WHEN loss_pct <= 0 THEN ${G711_PLC.ie}.0
     ELSE ${G711_PLC.ie} + (95.0 - ${G711_PLC.ie}) * loss_pct / (loss_pct / greatest(1.0, burst_r) + ${G711_PLC.bpl}) END`,
  `CREATE OR REPLACE MACRO g107_r(loss_pct, burst_r, t) AS ${RO}::DOUBLE - ${IS}::DOUBLE
     - g107_idte(t) - g107_idle(t) - g107_idd(t) - g107_ie(loss_pct, burst_r)`,
  `CREATE OR REPLACE MACRO g107_mos_of_r(r) AS CASE WHEN r <= 0 THEN 1.0 WHEN r >= 100 THEN 4.5
     ELSE greatest(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6) END`,
  'CREATE OR REPLACE MACRO g107_mos(loss_pct, burst_r, t) AS g107_mos_of_r(g107_r(loss_pct, burst_r, t))',
] as const;
