package caller

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/coder/websocket"
)

// sendHTTP2 speaks HTTP/2 from the first byte, without TLS; a gRPC request is one
// message with the body as its payload.
func sendHTTP2(ctx context.Context, r Request) (Result, error) {
	var result Result
	transport := &http.Transport{Protocols: new(http.Protocols), DialContext: recordingDial(r, &result)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	body := []byte(r.Body)
	if r.Kind == GRPC {
		r.Method = http.MethodPost
		body = append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
	}
	request, err := http.NewRequestWithContext(ctx, method(r), "http://"+r.Address, bytes.NewReader(body))
	if err != nil {
		return result, err
	}
	request.URL.Opaque = r.Path
	request.Host = authority(r)
	setHeaders(request.Header, r)
	if r.Kind == GRPC {
		request.Header.Set("Content-Type", "application/grpc")
		request.Header.Set("Te", "trailers")
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return result, err
	}
	if err := take(&result, response); err != nil {
		return result, err
	}
	for name, values := range response.Trailer {
		result.Headers[name] = values
	}
	if r.Kind == GRPC && len(result.Body) >= 5 {
		result.Body = result.Body[5:]
	}
	return result, nil
}

// recordingDial notes the client's own address in the result.
func recordingDial(r Request, result *Result) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := dial(ctx, r)
		if err == nil {
			result.Local, result.Remote = c.LocalAddr().String(), c.RemoteAddr().String()
		}
		return c, err
	}
}

func setHeaders(to http.Header, r Request) {
	for _, h := range r.Headers {
		if !isAuthority(h) {
			to.Add(h.Name, h.Value)
		}
	}
	if to.Get("User-Agent") == "" {
		to.Set("User-Agent", "") // net/http sends none for an empty one, and its own for a missing one
	}
	if r.ID != "" {
		to.Set("X-Request-Id", r.ID)
	}
}

// sendWebSocket opens a WebSocket, sends the body as a message and waits for one.
func sendWebSocket(ctx context.Context, r Request) (Result, error) {
	var result Result
	header := http.Header{}
	setHeaders(header, r)
	client := &http.Client{Transport: &http.Transport{DialContext: recordingDial(r, &result)}}
	target := url.URL{Scheme: "ws", Host: r.Address, Path: r.Path}
	c, response, err := websocket.Dial(ctx, target.String(), &websocket.DialOptions{HTTPClient: client, HTTPHeader: header, Host: authority(r)})
	if response != nil {
		result.Status, result.Headers = response.StatusCode, response.Header
	}
	if err != nil {
		if response != nil && response.StatusCode != http.StatusSwitchingProtocols {
			body, _ := io.ReadAll(io.LimitReader(response.Body, bodyLimit))
			result.Body = string(body)
			return result, nil // an answer, though not the one hoped for
		}
		return result, err
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, []byte(r.Body)); err != nil {
		return result, err
	}
	_, message, err := c.Read(ctx)
	result.Body = strings.ToValidUTF8(string(message), "?")
	return result, err
}
