// Command plot draws the pictures of bench/results from the JSON files that
// `load compare --json` writes. It is a module of its own, so that a plotting
// library is no dependency of groupcast.
//
//	plot ratios OUT.svg FILE...    CPU against the reference, a bar a scenario
//	plot bars METRIC OUT.svg FILE  one scenario's figure, a bar a server
//	plot latency OUT.svg FILE      percentiles of the latency, a line a server
//	plot sizes METRIC OUT.svg FILE...  a figure against the number of connections
//	plot groups METRIC OUT.svg FILE... the same against the number of groups
//
// Every figure is a median over the rounds; whiskers reach from the smallest to
// the largest.
package main
