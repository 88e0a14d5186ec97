//! The key of a host, looked at: connected to by the rules of any connection, and left before the login.

use convoke_connect::connector::Connector as _;
use convoke_connect::error::Again;
use convoke_connect::ssh::{Native, Sight};
use tokio::time::{Instant, sleep, timeout};

use super::attempt::{ATTEMPTS, pause, too_long};
use super::{Host, Reach};
use crate::outcome::Unreachable;

/// Looks at the key that `host` shows to `native`, by its way of connecting: with a place, as often as another
/// attempt may help, within the connect limit.
///
/// Nothing of a login is sent to the host itself; hops on the way are logged in to.
///
/// # Errors
/// The host was not reached, or the native client cannot reach it.
pub async fn look(host: &Host, native: &Native, reach: &Reach) -> Result<Sight, Unreachable> {
    let (endpoint, surroundings) = (host.endpoint(), &reach.surroundings);
    let route = native.route(endpoint, surroundings).await?;
    let mut left = reach.connect_limit;
    let mut number = 1;
    loop {
        let place = reach.connecting.take(route.server.as_deref()).await;
        let began = Instant::now();
        let looking = native.look(endpoint, surroundings, &*reach.ask);
        let failed = match timeout(left, looking).await {
            Ok(Ok(sight)) => return Ok(sight),
            Ok(Err(failed)) => failed,
            Err(_) => return Err(too_long(reach.connect_limit)),
        };
        drop(place);
        let pause = pause(number);
        left = left.saturating_sub(began.elapsed() + pause);
        if failed.again == Again::Pointless || number == ATTEMPTS || left.is_zero() {
            return Err(failed.into());
        }
        tracing::info!("attempt {number} failed: {}", failed.text);
        sleep(pause).await;
        number += 1;
    }
}
