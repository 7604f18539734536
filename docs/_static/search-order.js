/* The order of search results. Whoever types the name of an error is in an incident:
   the page that explains every error comes first, runbooks next, the record of
   changes last. Sphinx reads this object (html_search_scorer). */
var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,

  score: ([docname, , , , score]) => {
    const words = new URLSearchParams(location.search).get("q") ?? "";
    const kinds = [
      [/^reference\/xfrm-errors$/, /\bXfrm(In|Out|Fwd|Acquire)\w+/i.test(words) ? 200 : 2],
      [/^runbooks\//, 3],
      [/^(reference|concepts)\//, 1],
      [/^(changelog|contributing)|^reference\/measurements\//, -4],
    ];
    const kind = kinds.find(([pattern]) => pattern.test(docname));
    return score + (kind ? kind[1] : 0);
  },
};
