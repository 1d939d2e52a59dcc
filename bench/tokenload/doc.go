// Command tokenload shows what a groupcast server does with tokens under load when things go wrong: keys that are
// replaced while clients come, sessions whose tokens are over at the same moment, a key server that is silent. Live
// sessions go on meanwhile, and must miss nothing.
//
// It is a black box to the server: it signs tokens and serves keys with libraries of its own, as a backend and an
// identity provider would, and knows the wire and nothing else. Clients come from many addresses of loopback, since
// tokens that fail count for an address.
//
// What tokens cost when nothing goes wrong is measured by bench/load: `sign` makes keys and tokens for that
// (load storm --tokens FILE).
//
// Reading order: key.go (keys and tokens), keyserver.go (who publishes them), server.go (the program), client.go (one
// connection), live.go (who must notice nothing), watched.go (both together), rotation.go, expiry.go, outage.go (what
// goes wrong), figures.go (what came of it), main.go.
package main
