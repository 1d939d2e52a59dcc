package token

import (
	"bytes"
	"net/url"
	"strings"

	"groupcast/protocol"
)

// subprotocolPrefix is what a token in Sec-WebSocket-Protocol has in front.
const subprotocolPrefix = "token."

// Find is the token of a request: from its Authorization header, from the list of its
// subprotocols, or from its query. The RefusedError is Missing or Ambiguous, or says that one
// cannot be read. What is found is not looked at otherwise; it may have anything in it.
func Find(f protocol.RequestFacts) (string, *RefusedError) {
	var found []string
	for value := range f.Fields("authorization") {
		// Other schemes are between the client and a proxy.
		scheme, credentials, _ := bytes.Cut(value, []byte{' '})
		if strings.EqualFold(string(scheme), "Bearer") {
			found = append(found, string(bytes.Trim(credentials, " \t")))
		}
	}
	for element := range f.List("sec-websocket-protocol") {
		if token, ok := bytes.CutPrefix(element, []byte(subprotocolPrefix)); ok {
			found = append(found, string(token))
		}
	}
	for pair := range bytes.SplitSeq(f.Query(), []byte{'&'}) {
		name, value, _ := bytes.Cut(pair, []byte{'='})
		if unescaped, err := url.QueryUnescape(string(name)); err != nil || unescaped != "token" {
			continue
		}
		token, err := url.QueryUnescape(string(value))
		if err != nil {
			return "", refused(Malformed)
		}
		found = append(found, token)
	}
	if _, headers := f.Field("authorization"); headers > 1 {
		return "", refused(Ambiguous)
	}
	switch len(found) {
	case 0:
		return "", refused(Missing)
	case 1:
		return found[0], nil
	}
	return "", refused(Ambiguous)
}
