from ping.service import PingService

__all__ = ["PingService"]
