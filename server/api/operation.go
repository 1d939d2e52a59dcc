package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"groupcast/loop"
	"groupcast/loop/budget"
)

// carry carries out an operation that was admitted: it reads what the request has
// to say, and answers, unless there is a problem.
type carry func(w http.ResponseWriter, r *http.Request, limits *Limits) *problem

// answering is an operation that answers a question with JSON.
func answering[In, Out any](read func(*parameters) In, do func(context.Context, In) (Out, *problem)) carry {
	return func(w http.ResponseWriter, r *http.Request, _ *Limits) *problem {
		in, p := readParameters(r, read)
		if p != nil {
			return p
		}
		out, p := do(r.Context(), in)
		if p != nil {
			return p
		}
		writeJSON(w, http.StatusOK, out)
		return nil
	}
}

// doing is an operation that changes something, and has nothing to say about it.
func doing[In any](read func(*parameters) In, do func(context.Context, In) *problem) carry {
	return func(w http.ResponseWriter, r *http.Request, _ *Limits) *problem {
		in, p := readParameters(r, read)
		if p == nil {
			p = do(r.Context(), in)
		}
		if p == nil {
			w.WriteHeader(http.StatusNoContent)
		}
		return p
	}
}

// removed is the answer to a removal that not all nodes say they have done.
type removed struct {
	Silent []string `json:"silent"`
}

// removing is an operation that closes sessions, or has members leave, on all nodes. It has nothing to say but which
// nodes are silent.
func removing[In any](read func(*parameters) In, do func(context.Context, In) ([]string, *problem)) carry {
	return func(w http.ResponseWriter, r *http.Request, _ *Limits) *problem {
		in, p := readParameters(r, read)
		if p != nil {
			return p
		}
		silent, p := do(r.Context(), in)
		switch {
		case p != nil:
		case len(silent) > 0:
			writeJSON(w, http.StatusOK, removed{silent})
		default:
			w.WriteHeader(http.StatusNoContent)
		}
		return p
	}
}

// taking is an operation that takes a body, whole and within its limit.
func taking[In, Out any](a *API, kind bodyKind, read func(*parameters) In,
	do func(context.Context, In, []byte) (Out, *problem),
) carry {
	return func(w http.ResponseWriter, r *http.Request, limits *Limits) *problem {
		in, p := readParameters(r, read)
		if p != nil {
			return p
		}
		if a.budget.Refuses() {
			a.budget.RefusePublication()
			a.counters.RefusedItems.Add(1)
			return problemOf(loop.ErrNoMemory)
		}
		held := &heldBody{r.Body, a.bodies, 0}
		defer held.letGo()
		counted := *r // net/http looks at its own request's body when that is not read to its end
		counted.Body = held
		body, p := readBody(w, &counted, kind, limits)
		if p != nil {
			return p
		}
		out, p := do(r.Context(), in, body)
		if p != nil {
			return p
		}
		writeJSON(w, http.StatusAccepted, out)
		return nil
	}
}

// heldBody counts what has been read of a body, until it is let go of.
type heldBody struct {
	io.ReadCloser
	account *budget.Account
	bytes   int64
}

func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.bytes += int64(n)
	b.account.Add(int64(n))
	return n, err
}

func (b *heldBody) letGo() { b.account.Add(-b.bytes) }

// passing is an operation that writes its answer itself.
func passing(do func(http.ResponseWriter, *http.Request) *problem) carry {
	return func(w http.ResponseWriter, r *http.Request, _ *Limits) *problem {
		if _, p := readParameters(r, nothingOf); p != nil {
			return p
		}
		return do(w, r)
	}
}

// writeJSON answers with v and a line's end, at once.
func writeJSON(w http.ResponseWriter, status int, v any) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // structs of strings and numbers
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a client that is gone misses nothing
}
