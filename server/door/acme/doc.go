// Package acme gets certificates from an authority that speaks ACME, RFC 8555: Let's Encrypt,
// or one's own. An Issuer is what door.TLSOptions take.
//
// # Handshakes never wait for the authority
//
// The names are configured. For each of them a goroutine gets its certificate, at the start
// and not when the first client comes, and looks every minute whether it has been renewed.
// What handshakes see is a map in memory. So an authority that fails, is slow or never answers
// harms nobody: names that have a certificate keep it, and the others get the default one, or
// an alert.
//
// Challenges are answered by TLS-ALPN-01 on the TLS port, if the authority reaches it as port
// 443; by HTTP-01 where a plain listener that it reaches as port 80 asks Answer or has Handler.
//
// # Decision, 2026-11-25: autocert
//
// golang.org/x/crypto/acme/autocert: one dependency, by the authors of crypto/tls, and what it
// keeps is one directory. Rejected: certmagic, which knows DNS challenges, several
// authorities and nodes that share a store, brings a dozen modules for that, and wants to
// listen on the challenge ports itself. With several nodes, or for wildcards, let another
// program get the certificates and give door.Certificates the files.
//
// What it does not do, and what is done about it here: its GetCertificate waits for the
// authority for up to 5 minutes, inside a handshake that cannot be interrupted (hence the
// goroutines and the map); after a failure it does not try again for a minute (hence
// minRetry); its renewal timers cannot be stopped (after Close their requests fail); it gets
// a second certificate with an RSA key when a client knows no ECDSA (never asked for
// here: such clients are gone).
package acme
