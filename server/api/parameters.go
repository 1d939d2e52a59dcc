package api

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"groupcast/loop"
	details "groupcast/server/problem"
)

// parameters are those of a request's path and query. What reads them notes what is
// wrong, to be told all at once, and is given the zero value.
// Owner: the request's goroutine.
type parameters struct {
	request *http.Request
	query   url.Values
	known   []string // of the query
	wrong   []details.FieldError
	refused *problem // why it is nothing for this node, although nothing is wrong with it
}

// readParameters has read take what it knows. Anything else in the query is an error:
// a parameter that is misspelt would have no effect, and nobody would notice.
func readParameters[In any](r *http.Request, read func(*parameters) In) (in In, p *problem) {
	v := &parameters{request: r}
	if r.URL.RawQuery != "" {
		var err error
		if v.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			return in, problemf(http.StatusBadRequest, codeBadParameter, "the query is malformed")
		}
		for _, list := range v.query {
			if len(list) > 1 {
				return in, problemf(http.StatusBadRequest, codeBadParameter, "a parameter stands twice in the query")
			}
		}
	}
	in = read(v)
	for name := range v.query {
		if !slices.Contains(v.known, name) {
			v.blame("query", "wants no parameters but these: "+cmp.Or(strings.Join(v.known, ", "), "none"))
			break
		}
	}
	if v.wrong == nil {
		return in, v.refused
	}
	p = problemf(http.StatusUnprocessableEntity, codeBadParameter, "there is something wrong with the parameters")
	p.Errors = v.wrong
	return in, p
}

// blame notes what a parameter wants; its value is not repeated.
func (v *parameters) blame(location, message string) {
	v.wrong = append(v.wrong, details.FieldError{Location: location, Message: message})
}

// text is a parameter of the query; one without a value is none.
func (v *parameters) text(name string) string {
	v.known = append(v.known, name)
	return v.query.Get(name)
}

// groupName is one of the query, or a part of one.
func (v *parameters) groupName(name string) string {
	text := v.text(name)
	if !utf8.ValidString(text) {
		v.blame("query."+name, "wants UTF-8")
	}
	return text
}

// number is a parameter of the query, fallback without one.
func (v *parameters) number(name string, low, high, fallback int) int {
	text := v.text(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		v.blame("query."+name, fmt.Sprintf("wants an integer from %d to %d", low, high))
		return 0
	}
	return n
}

type nothing struct{}

func nothingOf(*parameters) nothing { return nothing{} }

func groupOf(v *parameters) string { return v.request.PathValue("group") }

func userOf(v *parameters) string { return v.request.PathValue("user") }

func (a *API) sessionOf(v *parameters) loop.SessionID {
	return a.sessionID(v, "path.session", v.request.PathValue("session"))
}

type membership struct {
	group   string
	session loop.SessionID
}

func (a *API) memberOf(v *parameters) membership { return membership{groupOf(v), a.sessionOf(v)} }
