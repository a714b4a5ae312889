package echo

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// Answer is the body of an HTTP answer.
type Answer struct {
	Who
	Caller   string              `json:"caller"` // SPIFFE id from X-Forwarded-Client-Cert; empty: none
	Protocol string              `json:"protocol"`
	Method   string              `json:"method"`
	Host     string              `json:"host"`
	Path     string              `json:"path"`
	Headers  map[string][]string `json:"headers"`
}

// HealthPath answers 200 `ok` to anyone who reaches it.
const HealthPath = "/healthz"

// handler answers every kind of request that comes over HTTP.
func handler(who Who) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo-Pod", who.Pod)
		w.Header().Set("X-Echo-Workload", who.Workload)
		switch {
		case r.URL.Path == HealthPath:
			io.WriteString(w, "ok\n")
		case strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
			grpc(w, r)
		case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
			webSocket(w, r)
		default:
			w.Header().Set("Content-Type", "application/json")
			enc := json.NewEncoder(w)
			enc.SetIndent("", "  ")
			enc.Encode(Answer{
				Who: who, Caller: caller(r.Header.Get("X-Forwarded-Client-Cert")), Protocol: r.Proto,
				Method: r.Method, Host: r.Host, Path: r.RequestURI, Headers: r.Header,
			})
		}
	})
}

// caller finds the last URI of an X-Forwarded-Client-Cert header: each proxy on
// the way appends an element, the last is the one that connected.
func caller(xfcc string) string {
	elements := strings.Split(xfcc, ",")
	for part := range strings.SplitSeq(elements[len(elements)-1], ";") {
		if uri, ok := strings.CutPrefix(strings.TrimSpace(part), "URI="); ok {
			return strings.Trim(uri, `"`)
		}
	}
	return ""
}

// grpc returns each message of any method, unary or streaming; health checks are
// told SERVING (field 1, value 1 of HealthCheckResponse).
func grpc(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("X-Echo-Caller", caller(r.Header.Get("X-Forwarded-Client-Cert")))
	w.Header().Set("Trailer", "Grpc-Status")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w).Flush
	health := strings.HasPrefix(r.URL.Path, "/grpc.health.v1.Health/")
	for {
		var head [5]byte // compressed flag, length
		if _, err := io.ReadFull(r.Body, head[:]); err != nil {
			break
		}
		message := io.LimitReader(r.Body, int64(binary.BigEndian.Uint32(head[1:])))
		if health {
			io.Copy(io.Discard, message)
			w.Write([]byte{0, 0, 0, 0, 2, 0x08, 0x01})
		} else {
			w.Write(head[:])
			io.Copy(w, message)
		}
		flush()
	}
	w.Header().Set("Grpc-Status", "0")
}

// webSocket returns each message.
func webSocket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}
