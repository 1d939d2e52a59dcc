package wire

import (
	"strings"

	"groupcast/protocol/subject"
)

// Limits of a message's lists: those of a publication (package loop), which a test compares.
const (
	MaxGroups   = 1024
	MaxUsers    = 1024
	MaxExcludes = 1024
)

// readNames reads a list of tokens as names. A name without an escape aliases the text.
func readNames(header, text string, most int) (names []string, b *Bad) {
	if b := checkCount(header, text, most); b != nil || text == "" {
		return nil, b
	}
	names = make([]string, 0, 1+strings.Count(text, ","))
	var room [subject.MaxNameBytes]byte
	for token := range strings.SplitSeq(text, ",") {
		name, err := subject.AppendName(room[:0], token)
		switch {
		case err != nil:
			return nil, bad(ReasonToken, "%s: want tokens of names, one comma between two and no blank: got %s",
				header, quote(token))
		case len(name) == len(token):
			names = append(names, token)
		default:
			names = append(names, string(name))
		}
	}
	return names, nil
}

// readSessions reads a list of sessions' texts, which alias it.
func readSessions(header, text string) (sessions []string, b *Bad) {
	if b := checkCount(header, text, MaxExcludes); b != nil || text == "" {
		return nil, b
	}
	sessions = make([]string, 0, 1+strings.Count(text, ","))
	for one := range strings.SplitSeq(text, ",") {
		if _, _, _, ok := ParseSession(one); !ok {
			return nil, bad(ReasonExclude, "%s: want sessions' ids, one comma between two and no blank: got %s",
				header, quote(one))
		}
		sessions = append(sessions, one)
	}
	return sessions, nil
}

// checkCount counts a list's elements before anything is made of them.
func checkCount(header, text string, most int) *Bad {
	if n := 1 + strings.Count(text, ","); n > most {
		return bad(ReasonTooMany, "%s: want %d elements at most: got %d", header, most, n)
	}
	return nil
}

// joinTokens writes a list of names as tokens. A name that has no token is left out: nobody can have it.
func joinTokens(names []string) string {
	size := len(names)
	for _, name := range names {
		size += len(name)
	}
	text := make([]byte, 0, size+size/4)
	for _, name := range names {
		before := len(text)
		if before > 0 {
			text = append(text, ',')
		}
		longer, err := subject.AppendToken(text, name)
		if err != nil {
			longer = longer[:before]
		}
		text = longer
	}
	return string(text)
}
