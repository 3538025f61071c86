from pong.service import PongService

__all__ = ["PongService"]
