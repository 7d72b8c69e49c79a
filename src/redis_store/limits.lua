-- Admits one request if the bucket has room for it: the arithmetic of key::Bucket, by the server's clock.
--
-- KEYS[1]  the bucket: how full it was, and when (microseconds since 1970)
-- ARGV     requests a minute, requests at once
-- returns  whether the request is admitted (1 or 0), and how full the bucket is now
local request = 60000000
local per_minute = tonumber(ARGV[1])
local capacity = tonumber(ARGV[2]) * request
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local used, at = 0, now
local stored = redis.call('GET', KEYS[1])
if stored then
    local stored_used, stored_at = string.match(stored, '^(%d+) (%d+)$')
    if not stored_used then
        return redis.error_reply('ODDVALUE the value of ' .. KEYS[1] .. ' is not a bucket')
    end
    used, at = tonumber(stored_used), tonumber(stored_at)
end

local elapsed = now - at
local was_set_back = elapsed < -1000000
local left = math.max(0, used - math.max(0, elapsed) * per_minute)
used = math.min(left, capacity)
local is_admitted = used + request <= capacity
if is_admitted then
    used = used + request
end

-- A refusal changes nothing that the next call does not work out again.
if is_admitted or was_set_back or left > used then
    if elapsed > 0 or was_set_back then
        at = now
    end
    -- Until it is empty and as good as none, and a second more for a clock that is set back.
    local lifetime = math.ceil(used / per_minute / 1000) + 1000
    redis.call('SET', KEYS[1], string.format('%.0f %.0f', used, at), 'PX', string.format('%.0f', lifetime))
end
return {is_admitted and 1 or 0, string.format('%.0f', used)}
