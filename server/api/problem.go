package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"groupcast/loop"
	"groupcast/protocol"
)

// problem is an error as a client gets it: RFC 9457's problem details, of the
// type about:blank, with a code for programs.
type problem struct {
	Title     string       `json:"title" doc:"The status in words"`
	Status    int          `json:"status" doc:"The HTTP status"`
	Code      string       `json:"code" doc:"What went wrong, for programs"`
	Detail    string       `json:"detail,omitempty" doc:"What went wrong, for people; may change"`
	RequestID string       `json:"request_id,omitempty" doc:"The request's id, as in the X-Request-Id header and in the server's log"`
	Errors    []fieldError `json:"errors,omitempty" nullable:"false" doc:"The parameters that are wrong"`

	headers http.Header
}

type fieldError struct {
	Location string `json:"location" doc:"Which one, like query.limit"`
	Message  string `json:"message" doc:"What it wants"`
}

// Codes of problems. They are part of the contract.
const (
	codeBadJSON         = "bad_json"
	codeBadParameter    = "bad_parameter"
	codeBadItem         = "bad_item"
	codeBadGroup        = "bad_group"
	codeBadMessage      = "bad_message"
	codeBadSession      = "bad_session"
	codeBadClose        = "bad_close"
	codeNotUTF8         = "not_utf8"
	codeTooLarge        = "too_large"
	codeTooManyGroups   = "too_many_groups"
	codeTooManyExcludes = "too_many_excludes"
	codeTooManyItems    = "too_many_items"
	codeCutOff          = "cut_off"
	codeTooSlow         = "too_slow"
	codeMediaType       = "unsupported_media_type"
	codeUnauthorized    = "unauthorized"
	codeCrossSite       = "cross_site"
	codeWrongHost       = "wrong_host"
	codeNotFound        = "not_found"
	codeNotAllowed      = "method_not_allowed"
	codeNoGroup         = "no_such_group"
	codeNoSession       = "no_such_session"
	codeOverloaded      = "overloaded"
	codeBusy            = "busy"
	codeDraining        = "draining"
	codeStalled         = "stalled"
	codeNotReady        = "not_ready"
	codeInternal        = "internal"
)

// retryAfter is what 503s advise, in seconds.
const retryAfter = 1

// problemf makes a problem. What it says must not repeat a client's input.
func problemf(status int, code, format string, args ...any) *problem {
	p := &problem{Title: http.StatusText(status), Status: status, Code: code, Detail: fmt.Sprintf(format, args...)}
	if status == http.StatusServiceUnavailable {
		return p.setHeader("Retry-After", strconv.Itoa(retryAfter))
	}
	return p
}

func (p *problem) setHeader(name, value string) *problem {
	if p.headers == nil {
		p.headers = make(http.Header)
	}
	p.headers.Set(name, value)
	return p
}

// Error, GetStatus, GetHeaders and ContentType are what huma asks of an error.
func (p *problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus is the HTTP status.
func (p *problem) GetStatus() int { return p.Status }

// GetHeaders are headers that go with it.
func (p *problem) GetHeaders() http.Header { return p.headers }

// ContentType is RFC 9457's, whatever was asked for.
func (p *problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// write answers with p. c's id goes with it.
func (p *problem) write(w http.ResponseWriter, c *call) {
	stamped := *p
	stamped.RequestID = c.id
	body, err := json.Marshal(&stamped)
	if err != nil {
		panic(err) // strings and numbers
	}
	maps.Copy(w.Header(), p.headers)
	w.Header().Set("Content-Type", problemType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // a client that is gone misses nothing
}

// stamp is huma's transformer: it gives problems their request's id, and huma's
// own errors, about parameters, the form of ours.
func stamp(ctx huma.Context, _ string, v any) (any, error) {
	switch e := v.(type) {
	case *problem:
		stamped := *e
		stamped.RequestID = callOf(ctx.Context()).id
		return &stamped, nil
	case *huma.ErrorModel:
		p := problemf(e.Status, codeBadParameter, "%s", e.Detail)
		if e.Status >= http.StatusInternalServerError {
			p.Code = codeInternal
		}
		for _, one := range e.Errors {
			p.Errors = append(p.Errors, fieldError{one.Location, one.Message}) // not its value: no echo
		}
		p.RequestID = callOf(ctx.Context()).id
		return p, nil
	}
	return v, nil
}

// problemOf says what an error of the engine means for a client. The rest is
// remembered for the log.
func problemOf(ctx context.Context, err error) *problem {
	limit, isLimit := errors.AsType[*protocol.CommandError](err)
	switch {
	case isLimit:
		return problemf(http.StatusConflict, string(limit.Code), "%s", limit.Reason)
	case errors.Is(err, loop.ErrBadGroup):
		return problemf(http.StatusUnprocessableEntity, codeBadGroup, "%v", loop.ErrBadGroup)
	case errors.Is(err, loop.ErrTooLarge):
		return problemf(http.StatusRequestEntityTooLarge, codeTooLarge, "%v, once encoded for the members", loop.ErrTooLarge)
	case errors.Is(err, loop.ErrNotUTF8):
		return problemf(http.StatusUnprocessableEntity, codeNotUTF8, "%v", loop.ErrNotUTF8)
	case errors.Is(err, loop.ErrTooManyGroups):
		return problemf(http.StatusUnprocessableEntity, codeTooManyGroups, "%v", loop.ErrTooManyGroups)
	case errors.Is(err, loop.ErrTooManyExcludes):
		return problemf(http.StatusUnprocessableEntity, codeTooManyExcludes, "%v", loop.ErrTooManyExcludes)
	case errors.Is(err, protocol.ErrBadClose):
		return problemf(http.StatusUnprocessableEntity, codeBadClose, "%v", protocol.ErrBadClose)
	case errors.Is(err, loop.ErrNoGroup):
		return problemf(http.StatusNotFound, codeNoGroup, "%v", loop.ErrNoGroup)
	case errors.Is(err, loop.ErrNoSession):
		return problemf(http.StatusNotFound, codeNoSession, "%v", loop.ErrNoSession)
	case errors.Is(err, loop.ErrOverloaded):
		return problemf(http.StatusServiceUnavailable, codeOverloaded, "the ring stayed full: not published")
	case errors.Is(err, loop.ErrDraining), errors.Is(err, loop.ErrClosed):
		return problemf(http.StatusServiceUnavailable, codeDraining, "the server is going away")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return problemf(http.StatusServiceUnavailable, codeStalled,
			"the event loops did not answer in time: what was asked for may still happen")
	}
	callOf(ctx).cause = err
	return problemf(http.StatusInternalServerError, codeInternal, "the log knows more, under this request's id")
}
