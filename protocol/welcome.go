package protocol

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for welcomePage
	"encoding/base64"
	"strings"
)

// welcomePage is what a person sees who opens the WebSocket port in a browser. It names no
// address: which others this client may reach is not known here. It is smaller than the
// buffers that reactors keep for answers (4 KiB, with its head).
//
//go:embed welcome.html
var welcomePage string

// welcome lets nothing run in the page and nothing be loaded by it. What a person types
// into the console may open WebSockets, also by another name of the same server.
var welcome = answer{
	status: 200,
	fields: "Cache-Control: no-store\r\nContent-Security-Policy: default-src 'none'; style-src '" +
		sourceHash(welcomePage, "<style>", "</style>") +
		"'; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n" +
		"X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n",
	mediaType: "text/html; charset=utf-8",
	body:      welcomePage,
}

// noIcon saves a browser's console the line that there is none.
var noIcon = answer{status: 204, fields: "Cache-Control: max-age=86400\r\n"}

// sourceHash is how a Content-Security-Policy names what stands between two marks.
func sourceHash(page, from, to string) string {
	_, text, _ := strings.Cut(page, from)
	text, _, _ = strings.Cut(text, to)
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// forBrowser returns the answer to a browser that was led here by its address bar, or nil.
// r asks for no upgrade to WebSocket.
func forBrowser(r request) *answer {
	if !isRead(r) {
		return nil
	}
	switch string(r.facts.Path()) {
	case "/favicon.ico":
		return &noIcon
	case "/":
		if _, upgrades := r.facts.Field("upgrade"); upgrades == 0 && acceptsHTML(r.facts) {
			return &welcome
		}
	}
	return nil
}

// acceptsHTML reports whether Accept names text/html (RFC 9110, 12.5.1). A program that
// takes anything, or says nothing, does not.
func acceptsHTML(f RequestFacts) bool {
	for element := range f.List("accept") {
		media, parameters, _ := bytes.Cut(element, []byte{';'})
		if equalFold(bytes.TrimRight(media, " \t"), "text/html") && !weighsNothing(parameters) {
			return true
		}
	}
	return false
}

// weighsNothing reports whether parameters have a weight of zero: not acceptable (RFC
// 9110, 12.4.2).
func weighsNothing(parameters []byte) bool {
	for len(parameters) > 0 {
		var p []byte
		p, parameters, _ = bytes.Cut(parameters, []byte{';'})
		name, value, _ := bytes.Cut(bytes.Trim(p, " \t"), []byte{'='})
		if equalFold(name, "q") && len(value) > 0 && len(bytes.Trim(value, "0.")) == 0 {
			return true
		}
	}
	return false
}
