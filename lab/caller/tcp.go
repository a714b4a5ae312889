package caller

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// quiet is how long a server that has said something may pause before the answer
// counts as whole; the protocols behind a port are not known here.
const quiet = 100 * time.Millisecond

// sendTCP connects, says the body (unless the server speaks first) and takes what
// the server says. A connection that is closed in silence is an error; one that
// stays open in silence has timed out.
func sendTCP(ctx context.Context, r Request) (Result, error) {
	c, err := dial(ctx, r)
	if err != nil {
		return Result{}, err
	}
	defer c.Close()
	result := Result{Local: c.LocalAddr().String(), Remote: c.RemoteAddr().String()}
	if r.Kind == TCP {
		body := r.Body
		if body == "" {
			body = "meshc\n"
		}
		if _, err := io.WriteString(c, body); err != nil {
			return result, err
		}
	}
	buf := make([]byte, bodyLimit)
	size := 0
	for size < len(buf) {
		n, err := c.Read(buf[size:])
		size += n
		if err != nil || r.Brief {
			return said(result, buf[:size], err)
		}
		if err := c.SetReadDeadline(time.Now().Add(quiet)); err != nil {
			return result, err
		}
	}
	return said(result, buf, nil)
}

// said judges how the server stopped speaking.
func said(result Result, bytes []byte, err error) (Result, error) {
	result.Body = string(bytes)
	var timeout net.Error
	switch {
	case len(bytes) > 0:
		return result, nil
	case errors.As(err, &timeout) && timeout.Timeout():
		result.TimedOut = true
		return result, errors.New("the server said nothing and kept the connection open")
	case errors.Is(err, io.EOF):
		return result, errors.New("the connection was closed")
	}
	return result, err
}
