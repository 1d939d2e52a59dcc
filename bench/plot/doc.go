// Command plot turns what `load compare --json` has measured into what people read: one
// compact file of figures, pictures, and the tables of bench/results. It is a module of its
// own, so that the fonts it measures text by are no dependency of groupcast.
//
//	plot gather [-commit C] [-go VERSION] FOLDER FILE...   take figures into FOLDER/results.json
//	plot draw FOLDER [ROOT-README]                         pictures and tables, from that file alone
//
// gather replaces a comparison of the same name and leaves the others, each with its own date,
// commit and command: so a single scenario can be measured anew. draw writes FOLDER/*.svg and
// what stands between the marks in FOLDER/README.md and in the README at the root.
//
// Every figure is a median over the rounds; whiskers reach from the smallest to the largest.
// A picture is an SVG that brings both themes with it (a media query inside, its own
// background), so a plain <img> is enough wherever a README is shown.
//
// The pictures were first drawn by gonum/plot: its labels know nothing of each other or of the
// canvas, and it has no themes. What is needed, horizontal bars in rows, is less code than
// to talk it into that.
package main
